"""What a batch changes, as a value made of what the store knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from firstcause.core.catalog import Catalog
from firstcause.core.grouping.aggregation import EndedAlert
from firstcause.core.grouping.fingerprint import Occurrence, identify
from firstcause.core.grouping.overflow import OVERFLOW_CODE, KindLimits
from firstcause.core.model import Alert, Event, Severity
from firstcause.core.root_cause.ranking import Weights
from firstcause.core.root_cause.signals import Signals
from firstcause.pipeline.batch_plan import BatchContext, BatchPlan, CountingRules, plan_batch
from firstcause.pipeline.decoding import DecodedEvent

NOW = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
CATALOG = Catalog([])


def make_event(event_id: str, code: str = "ODD", **changes: Any) -> Event:
    return Event(id=event_id, time=NOW, code=code, service="shop", **changes)


def plan(events: list[Event], limits: KindLimits | None = None, **changes: Any) -> BatchPlan:
    fields: dict[str, Any] = {
        "now": NOW + timedelta(seconds=1), "rules": CountingRules((), Signals(), Weights()),
        "count_updates": {}, "existing": {}, "ended": {}, "ends": {}, "early_ends": (),
        "kinds_by_service": None,
    }  # fmt: skip
    decoded = {event.id: DecodedEvent(event.id, event, NOW) for event in events}
    decoded["broken"] = DecodedEvent("broken", None, NOW, "cannot be read", raw={"x": 1})
    occurrences = {event.id: identify(event, CATALOG) for event in events}
    return plan_batch(BatchContext(**(fields | changes)), decoded, occurrences, limits or KindLimits(50, 200))


def ended_alert(occurrence: Occurrence) -> Alert:
    return Alert(
        fingerprint=occurrence.fingerprint, fault=occurrence.fault, code=occurrence.code, catalogued=False,
        title="Odd", severity=Severity.WARNING, first_seen=NOW, last_seen=NOW, resolved_at=NOW, count=1,
        stored_id=9,
    )  # fmt: skip


def test_new_errors_open_alerts_with_the_time_of_our_clock() -> None:
    result = plan([make_event("a"), make_event("b"), make_event("c", "OTHER")])
    assert sorted((alert.code, alert.count) for alert in result.aggregation.alerts.values()) == [
        ("ODD", 2),
        ("OTHER", 1),
    ]
    assert {alert.opened_at for alert in result.aggregation.alerts.values()} == {NOW + timedelta(seconds=1)}
    assert {row["code"]: row["count"] for row in result.registry_rows} == {"ODD": 2, "OTHER": 1}


def test_every_event_has_a_record_also_one_that_cannot_be_read() -> None:
    result = plan([make_event("a")])
    assert [(record.event_id, record.problem) for record in result.event_records] == [
        ("a", None),
        ("broken", "cannot be read"),
    ]


def test_kinds_beyond_the_limit_count_in_the_overflow_alert_and_its_record_says_so() -> None:
    events = [make_event(str(number), f"ODD_{number}") for number in range(3)]
    result = plan(events, KindLimits(per_service=1, total=1), kinds_by_service={})
    by_code = {alert.code: alert for alert in result.aggregation.alerts.values()}
    assert {code: alert.count for code, alert in by_code.items()} == {"ODD_0": 1, OVERFLOW_CODE: 2}
    fingerprints = [record.fingerprint for record in result.event_records]
    assert fingerprints.count(by_code[OVERFLOW_CODE].fingerprint) == 2


def test_the_counts_of_the_context_are_not_changed_by_a_plan() -> None:
    kinds = {("shop", None): 0}
    plan([make_event("a"), make_event("b", "OTHER")], kinds_by_service=kinds)
    assert kinds == {("shop", None): 0}


def test_an_event_from_before_the_end_counts_late_and_opens_nothing() -> None:
    event = make_event("a")
    alert = ended_alert(identify(event, CATALOG))
    result = plan([event], ended={alert.fingerprint: alert}, ends={alert.fingerprint: EndedAlert(NOW)})
    assert (result.late_counts, result.aggregation.changed) == ({9: 1}, set())


def test_drills_and_reports_of_probes_are_not_counted_by_code() -> None:
    result = plan([make_event("a"), make_event("b", drill=True), make_event("c", probe="redis")])
    assert sum(result.event_counts.values()) == 1
