from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.incidents.suggestions import MAX_SUGGESTIONS, FixHistory, FixWeights, Suggestion
from firstcause.core.model import Impact, Incident, IncidentStatus, Priority, Root, Severity

if TYPE_CHECKING:
    import random

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
DAY = 24.0


def incident(
    number: int, opened: float, lasted: float | None = 1, fix: str | None = None, **more: Any
) -> Incident:
    """opened: hours from the start. lasted: hours; None while it is open."""
    at = START + timedelta(hours=opened)
    return Incident(
        fault="x",
        root=Root(code="A", service=more.pop("service", "api")),
        title="t",
        priority=Priority.P1,
        severity=Severity.CRITICAL,
        impact=Impact(),
        opened_at=at,
        resolved_at=at + timedelta(hours=lasted) if lasted is not None else None,
        status=IncidentStatus.OPEN if lasted is None else IncidentStatus.RESOLVED,
        fix=fix,
        stored_id=number,
        **more,
    )


def suggested(
    *past: Incident, now: float = 100 * DAY, trust: FixWeights | None = None
) -> tuple[Suggestion, ...]:
    this = incident(99, now, None)
    return FixHistory([*past, this], trust or FixWeights()).suggest(this)


def test_what_helped_more_often_comes_first() -> None:
    suggestions = suggested(
        incident(1, 0, fix="restarted it"),
        incident(2, 10 * DAY, fix="rotated the token"),
        incident(3, 20 * DAY, fix="Rotated  the token."),
        incident(4, 30 * DAY),
    )
    assert [suggestion.fix for suggestion in suggestions] == ["Rotated  the token.", "restarted it"]
    token = suggestions[0]
    assert (token.tried, token.held, token.incidents) == (2, 2, ("3", "2"))
    assert token.because == "used 2 times, last 79 days before, and it held each time"
    assert suggestions[1].because == "used once, 99 days before, and it held"


def test_a_fix_after_which_it_came_back_is_not_suggested() -> None:
    (suggestion,) = suggested(incident(1, 0, fix="restarted it"), incident(2, 5, fix="gave it more memory"))
    assert suggestion.fix == "gave it more memory"
    assert suggested(incident(1, 0, fix="restarted it"), incident(2, 5)) == ()
    at_once = suggested(incident(1, 0, 1, fix="restarted it"), now=2)
    assert at_once == (), "what it is to mend is back itself"
    assert len(suggested(incident(1, 0, 1, fix="restarted it"), now=DAY + 2)) == 1


def test_another_service_coming_down_does_not_speak_against_it() -> None:
    (suggestion,) = suggested(incident(1, 0, fix="restarted it"), incident(2, 3, service="web"))
    assert suggestion.held == 1


def test_one_of_another_service_counts_less_and_says_so() -> None:
    here, there = suggested(
        incident(1, 0, fix="restarted it"), incident(2, 0, fix="called the provider", service="web")
    )
    assert (here.fix, there.fix) == ("restarted it", "called the provider")
    assert there.because == "used once at another service, 99 days before, and it held"
    assert here.confidence > there.confidence


def test_what_is_old_counts_less_until_nobody_is_told() -> None:
    fresh, old, forgotten = (suggested(incident(1, 0, fix="x"), now=days * DAY) for days in (2, 90, 500))
    assert fresh[0].confidence > old[0].confidence
    assert fresh[0].because == "used once, 1 day before, and it held"
    assert forgotten == ()


def test_what_came_later_or_is_a_drill_or_open_teaches_nothing() -> None:
    this = incident(9, 10)
    later = incident(10, 20, fix="x")
    assert FixHistory([this, later], FixWeights()).suggest(this) == ()
    assert suggested(incident(1, 0, fix="x", drill=True)) == ()
    assert suggested(incident(1, 0, None, fix="x")) == ()


PAST = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.one_of(st.none(), st.floats(0.1, 400)),
        st.sampled_from([None, "a", "A.", "b", " b ", "c", "d"]),
        st.sampled_from(["api", "web", None]),
    ),
    max_size=30,
)


def test_two_that_are_equally_good_keep_their_order() -> None:
    past = [incident(1, 0, fix="restarted it"), incident(2, 0, fix="gave it more memory")]
    this = incident(9, 100, None)
    suggestions = [FixHistory(order, FixWeights()).suggest(this) for order in (past, past[::-1])]
    assert suggestions[0] == suggestions[1]
    assert [suggestion.fix for suggestion in suggestions[0]] == ["gave it more memory", "restarted it"]


@given(PAST, st.randoms(use_true_random=False))
def test_whatever_there_was(past: list[Any], chance: random.Random) -> None:
    known = [
        incident(at, float(opened), lasted, fix if lasted is not None else None, service=service)
        for at, (opened, lasted, fix, service) in enumerate(past, 1)
    ]
    this = incident(99, 1500, None)
    suggestions = FixHistory([*known, this], FixWeights()).suggest(this)
    shuffled = [*known, this]
    chance.shuffle(shuffled)
    assert FixHistory(shuffled, FixWeights()).suggest(this) == suggestions, "their order does not matter"
    assert len(suggestions) <= MAX_SUGGESTIONS
    assert len({suggestion.fix.strip().rstrip(".").casefold() for suggestion in suggestions}) == len(
        suggestions
    )
    for suggestion in suggestions:
        assert FixWeights().least <= suggestion.confidence < 1
        assert 1 <= suggestion.held <= suggestion.tried
        assert suggestion.last_used <= this.opened_at
