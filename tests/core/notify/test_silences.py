"""Matchers of silences: what they say, what fits them, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.model import Severity
from firstcause.core.notify.silences import FIELDS, Matcher, Silence, parse_matcher, reject_catch_all
from firstcause.inference.patterns import matches_fully

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SMS = {"code": "SMS_DELIVERY_FAILURE", "service": "api-2", "severity": Severity.CRITICAL.value}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("code=SMS_DELIVERY_FAILURE", True),
        ('code = "SMS_DELIVERY_FAILURE"', True),
        ("code!=SMS_DELIVERY_FAILURE", False),
        ('service=~"api-.*"', True),
        ("service=~api", False),
        ("service!~web-.*", True),
        ("tenant=acme", False),
        ("tenant!=acme", True),
        ("tenant=", True),
        ("severity=~critical|warning", True),
    ],
)
def test_what_a_matcher_fits(text: str, *, fits: bool) -> None:
    assert parse_matcher(text, matches_fully).matches(SMS, matches_fully) is fits


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SMS", "is not a matcher"),
        ("cod=X", "alerts have no 'cod'; they have code, service"),
        ("code=~(", "the pattern does not compile"),
        ("code=~(?=x)", "no look-around"),
    ],
)
def test_what_is_no_matcher_is_said(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        parse_matcher(text, matches_fully)


def test_matchers_that_fit_everything_are_refused() -> None:
    for texts in (["tenant!=acme"], ["code=~.*"], []):
        with pytest.raises(ValueError, match="nearly every alert"):
            reject_catch_all(tuple(parse_matcher(text, matches_fully) for text in texts), matches_fully)
    reject_catch_all(
        (parse_matcher("tenant!=acme", matches_fully), parse_matcher("code=X", matches_fully)), matches_fully
    )


def test_a_silence_begins_and_ends() -> None:
    hour = timedelta(hours=1)
    silence = Silence(matchers=(), starts_at=NOW, ends_at=NOW + hour, created_at=NOW, created_by="anna")
    assert [silence.state(at) for at in (NOW - hour, NOW, NOW + hour)] == ["pending", "active", "expired"]


@given(field=st.sampled_from(FIELDS), operator=st.sampled_from(["=", "!="]), value=st.text(max_size=30))
def test_a_matcher_is_read_as_it_is_written(field: str, operator: str, value: str) -> None:
    matcher = Matcher.model_validate({"field": field, "operator": operator, "value": value})
    assert parse_matcher(str(matcher), matches_fully) == matcher
