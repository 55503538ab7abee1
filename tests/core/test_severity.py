from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause import Severity
from firstcause.client import capture
from firstcause.core.model import SEVERITY_NAMES


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("fatal", Severity.CRITICAL), ("EMERG", Severity.CRITICAL), ("panic", Severity.CRITICAL),
        ("page", Severity.CRITICAL), ("P1", Severity.CRITICAL), (" sev1 ", Severity.CRITICAL),
        ("SEV-0", Severity.CRITICAL), ("Severity 1", Severity.CRITICAL), ("priority_1", Severity.CRITICAL),
        ("S2", Severity.WARNING), ("P3", Severity.WARNING), ("minor", Severity.WARNING),
        ("notice", Severity.INFO), ("trace", Severity.INFO), ("P5", Severity.INFO), ("sev 4", Severity.INFO),
    ],
)  # fmt: skip
def test_words_of_senders(word: str, severity: Severity) -> None:
    assert Severity.from_word(word) is severity
    assert Severity(word) is severity


@pytest.mark.parametrize("word", ["error", "Err", "SEVERE"])
def test_of_an_error_the_catalog_decides_unless_somebody_asks_for_it(word: str) -> None:
    assert Severity.from_word(word) is None
    assert Severity(word) is Severity.WARNING


@pytest.mark.parametrize("word", ["", "purple", "P", "P9", "sev", "1", None, 7, ["fatal"]])
def test_an_unknown_word_has_no_severity(word: object) -> None:
    assert Severity.from_word(word) is None
    with pytest.raises(ValueError, match="is not a valid Severity"):
        Severity(word)  # type: ignore[arg-type]


@given(st.text(max_size=20) | st.sampled_from(sorted(SEVERITY_NAMES)))
def test_case_and_spaces_change_nothing(word: str) -> None:
    assert Severity.from_word(f" {word.upper()}  ") is Severity.from_word(word.upper())


def test_the_client_sends_what_the_daemon_knows() -> None:
    assert frozenset(SEVERITY_NAMES) == capture.SEVERITY_NAMES
