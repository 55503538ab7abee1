from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.catalog import Catalog, Entry
from firstcause.core.grouping.aggregation import aggregate
from firstcause.core.grouping.fingerprint import Occurrence, identify, overflow_fingerprint
from firstcause.core.grouping.overflow import (
    OVERFLOW_CODE,
    KindBudget,
    KindLimits,
    apply_limits,
    estimate_distinct,
    format_title,
    update_titles,
)
from firstcause.core.model import Alert, Event

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENTRY = Entry.model_validate(
    {"code": "DOWN", "title": "It is down", "category": "SYSTEM", "severity": "CRITICAL", "component": "x"}
)
CATALOG = Catalog([ENTRY])


def of(code: str, service: str | None = "shop", **fields: object) -> Occurrence:
    event = {"id": code, "time": NOW, "code": code, "service": service} | fields
    return identify(Event.model_validate(event), CATALOG)


def kept(occurrences: list[Occurrence], per_service: int = 3, in_all: int = 100) -> list[Occurrence]:
    return apply_limits(occurrences, lambda _one: True, KindBudget(KindLimits(per_service, in_all), {}))


def codes(occurrences: list[Occurrence]) -> list[str]:
    return [occurrence.code for occurrence in occurrences]


def test_the_first_kinds_have_their_own_alerts_and_the_others_count_in_one() -> None:
    limited = kept([of(code) for code in ("A", "B", "A", "C", "D", "E", "A", "D")])
    assert codes(limited) == ["A", "B", "A", "C", OVERFLOW_CODE, OVERFLOW_CODE, "A", OVERFLOW_CODE]
    assert {occurrence.fingerprint for occurrence in limited if occurrence.code == OVERFLOW_CODE} == {
        overflow_fingerprint("shop")[1]
    }


def test_what_the_catalog_knows_what_ends_and_drills_are_never_folded_away() -> None:
    full = [of(code) for code in "ABC"]
    more = [of("DOWN"), of("X", resolved=True), of("Y", drill=True)]
    assert kept([*full, *more])[3:] == more


def test_services_and_tenants_have_room_of_their_own_but_not_without_end() -> None:
    limited = kept([of(code, service) for service in ("a", "b") for code in "ABCD"])
    assert [occurrence.event.service for occurrence in limited if occurrence.code == OVERFLOW_CODE] == [
        "a",
        "b",
    ]
    many = kept([of("A", f"service-{number}") for number in range(50)], in_all=10)
    assert codes(many)[9:11] == ["A", OVERFLOW_CODE]
    assert len({occurrence.fingerprint for occurrence in many}) == 11
    assert format_title(40, None) == "40 further kinds of errors from many services"


def test_the_alert_says_how_many_kinds_and_counts_every_error() -> None:
    limited = kept([of(f"C{number % 50}") for number in range(1000)])
    folded = aggregate(limited, {}, {})
    update_titles(folded, limited)
    alert = folded.alerts[overflow_fingerprint("shop")[1]]
    assert (alert.title, alert.count) == ("47 further kinds of errors from shop", 940)
    assert sum(alert.count for alert in folded.alerts.values()) == 1000


def batch(numbers: range, known: dict[str, Alert]) -> tuple[Alert, bool]:
    limited = kept([of(f"C{number}") for number in numbers], per_service=0)
    folded = aggregate(limited, known, {})
    update_titles(folded, limited)
    name = overflow_fingerprint("shop")[1]
    known[name] = folded.alerts[name]
    return folded.alerts[name], name in folded.changed


def test_rules_look_again_only_when_the_kinds_have_doubled() -> None:
    known: dict[str, Alert] = {}
    changes = [batch(range(at, at + 10), known)[1] for at in range(0, 1000, 10)]
    assert 5 <= sum(changes) <= 8
    alert, changed = batch(range(1000), known)
    assert (alert.title, changed) == ("1,000 further kinds of errors from shop", False)


def hashes(numbers: range) -> list[str]:
    return [hashlib.blake2b(str(number).encode(), digest_size=10).hexdigest() for number in numbers]


@pytest.mark.parametrize("number", [1, 2047, 2048, 10_000, 100_000])
def test_the_number_of_kinds_is_right_within_bounded_room(number: int) -> None:
    from firstcause.core.grouping.overflow import _merge_sketch  # noqa: PLC0415 - the sketch by itself

    sketch = _merge_sketch("", {fingerprint[:10] for fingerprint in hashes(range(number))})
    estimate, exactly = estimate_distinct(sketch)
    assert exactly == (number < 2048)
    assert abs(estimate - number) <= (0 if exactly else number * 0.1)
    assert len(sketch) <= 20_480
    assert format_title(123_456, "x", exact=False) == "about 120,000 further kinds of errors from x"


@given(st.lists(st.sampled_from("ABCDEF"), max_size=30), st.integers(1, 4))
def test_no_error_is_lost_and_no_more_alerts_than_allowed(sent: list[str], per_service: int) -> None:
    limited = kept([of(code) for code in sent], per_service=per_service)
    folded = aggregate(limited, {}, {})
    assert sum(alert.count for alert in folded.alerts.values()) == len(sent)
    assert len(folded.alerts) <= per_service + 1
