"""Whatever an application gives becomes bounded JSON, and never an exception."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.client import sanitize

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.decimals()
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner)
    ),
    max_leaves=30,
)


@given(anything)
def test_anything_becomes_json_that_is_read_as_it_was_written(value: Any) -> None:
    found = sanitize.sanitize_details({"value": value})
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    assert "\n" not in text


@given(st.lists(st.text(max_size=5000), max_size=60), st.integers(1, 400))
def test_it_is_bounded(texts: list[str], times: int) -> None:
    found = sanitize.sanitize_details({"deep": [texts] * times, "flat": dict(enumerate(texts * times))})
    assert len(json.dumps(found, ensure_ascii=False)) < 200_000


@given(st.text(max_size=50), st.integers(3, 60))
def test_a_text_is_cut_at_its_length(text: str, longest: int) -> None:
    cut = sanitize.truncate(text, longest)
    assert len(cut) <= longest
    assert cut == text or (cut.endswith("...") and text.startswith(cut[:-3]))


class Nasty:
    def __str__(self) -> str:
        msg = "no text"
        raise RuntimeError(msg)


class Breaking(dict[str, int]):
    def items(self) -> Any:
        msg = "dictionary changed size during iteration"
        raise RuntimeError(msg)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (Nasty(), "<Nasty whose __str__ raises RuntimeError>"),
        (Breaking(a=1), "<Breaking: RuntimeError>"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**63, "9223372036854775808"),
        pytest.param(10**5000, "<int whose __str__ raises ValueError>", id="huge"),
        (-(2**63), -(2**63)),
        (datetime(2026, 11, 25, tzinfo=UTC), "2026-11-25 00:00:00+00:00"),
        (Decimal("1.50"), "1.50"),
        (b"\xff\x00a", "\ufffd\x00a"),
        ({3}, [3]),
        ((1, None, True), [1, None, True]),
        ("x" * 9000, "x" * 8189 + "..."),
    ],
)
def test_values_json_does_not_know(value: Any, found: Any) -> None:
    assert sanitize.sanitize_details({"it": value}) == {"it": found}


def test_what_contains_itself_ends() -> None:
    circle: dict[str, Any] = {}
    circle["again"] = circle
    assert json.dumps(sanitize.sanitize_details(circle)).count("again") == 6


def test_a_secret_by_its_name_does_not_leave_the_process() -> None:
    found = sanitize.sanitize_details({
        "password": "a", "API-Key": "b", "nested": [{"authToken": ["c"]}], "token": None, "secret": "",
        "has_password": True, "tokens_used": 5, "monkey": "d",
    })  # fmt: skip
    assert found == {
        "password": "[masked]", "API-Key": "[masked]", "nested": [{"authToken": "[masked]"}], "token": None,
        "secret": "", "has_password": True, "tokens_used": "[masked]", "monkey": "d",
    }  # fmt: skip


def test_what_is_no_mapping_is_kept_as_a_value() -> None:
    assert sanitize.sanitize_details("text") == {"value": "text"}
    assert sanitize.sanitize_details(["a"]) == {"value": ["a"]}
    assert sanitize.sanitize_details(None) == {}


@pytest.mark.parametrize(
    ("given", "found"), [(None, None), ("  ", None), (" a ", "a"), (7, "7"), ("x" * 300, "x" * 197 + "...")]
)
def test_a_name(given: Any, found: str | None) -> None:
    assert sanitize.to_name(given) == found
