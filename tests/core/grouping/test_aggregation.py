from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.catalog import Catalog
from firstcause.core.grouping.aggregation import ActiveAlertSummary, aggregate, count_only, find_end
from firstcause.core.grouping.fingerprint import Occurrence, identify
from firstcause.core.model import Alert, Event

START = datetime(2026, 1, 1, tzinfo=UTC)
EMPTY = Catalog([])


def occurrence(code: str, at: float, **fields: object) -> Occurrence:
    event = {"id": f"{code}{at}", "code": code, "time": START + timedelta(seconds=at)} | fields
    return identify(Event.model_validate(event), EMPTY)


def test_fifty_of_one_kind_are_one_alert_and_one_change() -> None:
    folded = aggregate([occurrence("A", at) for at in range(50)], {}, {})
    (alert,) = folded.alerts.values()
    assert (alert.count, alert.first_seen, alert.last_seen) == (50, START, START + timedelta(seconds=49))
    assert folded.changed == {alert.fingerprint}


def test_more_of_the_same_changes_nothing_that_rules_see() -> None:
    known = aggregate([occurrence("A", 0)], {}, {}).alerts
    folded = aggregate([occurrence("A", 1), occurrence("A", 2)], known, {})
    assert folded.changed == set()
    assert sum(folded.added_counts.values()) == 2


def test_worse_severity_is_a_change() -> None:
    known = aggregate([occurrence("A", 0, severity="WARNING")], {}, {}).alerts
    assert aggregate([occurrence("A", 1, severity="CRITICAL")], known, {}).changed == set(known)


def test_the_sample_is_of_the_latest_event_whatever_the_order() -> None:
    folded = aggregate([occurrence("A", 5, message="new"), occurrence("A", 1, message="old")], {}, {})
    (alert,) = folded.alerts.values()
    assert alert.sample is not None
    assert alert.sample.message == "new"
    assert alert.first_seen == START + timedelta(seconds=1)


def test_a_late_occurrence_of_an_ended_alert_opens_nothing() -> None:
    known = aggregate([occurrence("A", 0)], {}, {}).alerts
    ended = aggregate([occurrence("A", 10, resolved=True)], known, {}).alerts
    over = {name: find_end(alert, cause_is_back=False, grace_s=60) for name, alert in ended.items()}
    folded = aggregate([occurrence("A", 9)], {}, over)
    assert (folded.alerts, sum(folded.late_counts.values())) == ({}, 1)
    assert aggregate([occurrence("A", 11)], {}, over).changed


def test_the_end_of_one_part_swallows_nothing_of_another_whose_clock_is_behind() -> None:
    known = aggregate([occurrence("A", 0, labels={"instance": "ahead"})], {}, {}).alerts
    end = occurrence("A", 240, labels={"instance": "ahead"}, resolved=True)
    ended = aggregate([end._replace(received_at=START + timedelta(seconds=10))], known, {}).alerts
    over = {name: find_end(alert, cause_is_back=False, grace_s=60) for name, alert in ended.items()}
    for instance, is_late in (("ahead", True), ("exact", False)):
        again = occurrence("A", 9, labels={"instance": instance})
        again = again._replace(received_at=START + timedelta(seconds=11))
        assert bool(aggregate([again], {}, over).late_counts) is is_late


def test_an_end_of_something_unknown_opens_nothing() -> None:
    assert aggregate([occurrence("A", 0, resolved=True)], {}, {}).alerts == {}


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 100)), max_size=60), st.integers(1, 10))
def test_counts_do_not_depend_on_how_events_are_batched(events: list[tuple[str, int]], size: int) -> None:
    occurrences = [occurrence(code, at) for code, at in events]
    whole = aggregate(occurrences, {}, {}).alerts
    known: dict[str, Alert] = {}
    for at in range(0, len(occurrences), size):
        known = aggregate(occurrences[at : at + size], known, {}).alerts
    assert {name: (a.count, a.first_seen, a.last_seen) for name, a in known.items()} == {
        name: (a.count, a.first_seen, a.last_seen) for name, a in whole.items()
    }
    assert sum(alert.count for alert in whole.values()) == len(events)


batches = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.integers(0, 20),
        st.sampled_from(["INFO", "WARNING", "CRITICAL"]),
        st.integers(0, 9).map(lambda n: n == 0),
    ),
    max_size=12,
)


@given(batches, batches)
def test_counting_first_makes_of_a_batch_what_folding_alone_would(
    earlier: list[tuple[str, int, str, bool]], later: list[tuple[str, int, str, bool]]
) -> None:
    first, second = (
        [
            occurrence(code, at, severity=severity, resolved=over, message=f"{place}", id=f"{place}")
            for place, (code, at, severity, over) in enumerate(batch)
        ]
        for batch in (earlier, later)
    )
    known = {
        name: alert.model_copy(update={"stored_id": number})
        for number, (name, alert) in enumerate(aggregate(first, {}, {}).alerts.items())
        if alert.active
    }
    limits = (3.0, 5.0)
    whole = aggregate(second, known, {}, limits)
    standing = {
        name: ActiveAlertSummary(
            stored_id=alert.stored_id or 0,
            code=alert.code,
            title=alert.title,
            count=alert.count,
            severity=alert.severity,
            first_seen=alert.first_seen,
            last_seen=alert.last_seen,
            received_at=alert.received_at,
            clock_skew=alert.clock_skew,
        )
        for name, alert in known.items()
    }
    more = count_only(second, standing, limits)
    rest = aggregate(
        [occurrence for occurrence in second if occurrence.fingerprint not in more], known, {}, limits
    )
    assert rest.changed == whole.changed
    for name, added in more.items():
        alert = rest.alerts[name]
        update = {
            "count": alert.count + added.added,
            "last_seen": added.last_seen,
            "received_at": added.received_at,
            "clock_skew": added.clock_skew,
        }
        if added.sample is not None:
            update["sample"] = added.sample
        rest.alerts[name] = alert.model_copy(update=update)
    assert rest.alerts == whole.alerts
