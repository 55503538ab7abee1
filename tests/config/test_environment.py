"""A variable that nobody reads is told, and those of others are left alone."""

from __future__ import annotations

import pytest

from firstcause.config.environment import find_unknown_variables

SECTIONS = {"store", "web", "notify"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("FIRSTCAUSE_STORE_URL", "; did you mean FIRSTCAUSE_STORE__URL?"),
        ("FIRSTCAUSE_WBE__PORT", "; did you mean FIRSTCAUSE_WEB__PORT?"),
        ("firstcause_strore__url", "; did you mean FIRSTCAUSE_STORE__URL?"),
        ("FIRSTCAUSE_TOKN", "; did you mean FIRSTCAUSE_TOKEN?"),
        ("FIRSTCAUSE_XYZZY", "; settings are FIRSTCAUSE_SECTION__KEY, see config.toml of `firstcause init`"),
    ],
)
def test_an_unknown_variable_is_told_with_the_nearest_name(name: str, told: str) -> None:
    assert find_unknown_variables([name], SECTIONS) == [f"the environment: {name} is unknown{told}"]


@pytest.mark.parametrize(
    "name",
    [
        "FIRSTCAUSE_STORE__URL", "FIRSTCAUSE_WEB", "FIRSTCAUSE_CONFIG", "FIRSTCAUSE_TOKEN_FILE",
        "FIRSTCAUSE_CLI_INCIDENTS_LIMIT", "FIRSTCAUSE_SERVICE_HOST", "FIRSTCAUSE_SERVICE_PORT_HTTP",
        "FIRSTCAUSE_PORT", "FIRSTCAUSE_PORT_8377_TCP_ADDR", "FIRSTCAUSE_WEB_SERVICE_HOST", "PATH", "FIRST",
    ],
)  # fmt: skip
def test_settings_and_what_others_set_is_left_alone(name: str) -> None:
    assert find_unknown_variables([name], SECTIONS) == []
