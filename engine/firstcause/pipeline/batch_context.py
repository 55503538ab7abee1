"""What the store knows about the events of a batch: everything that the plan of the batch needs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.grouping.aggregation import find_end
from firstcause.core.grouping.overflow import can_overflow, has_limited_tenants
from firstcause.pipeline.alert_lookup import match_alerts
from firstcause.pipeline.batch_plan import BatchContext, opens_alert, plan_count_updates
from firstcause.store import alerts, cardinality, early_ends, incidents

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Intake
    from firstcause.core.grouping.aggregation import EndedAlert
    from firstcause.core.grouping.fingerprint import Occurrence
    from firstcause.core.grouping.overflow import ServiceTenant
    from firstcause.core.model import Alert
    from firstcause.pipeline.batch_plan import CountingRules

_CARDINALITY_WINDOW = timedelta(hours=1)


def load_context(
    conn: sa.Connection,
    occurrences: Mapping[str, Occurrence],
    rules: CountingRules,
    intake: Intake,
    now: datetime,
) -> BatchContext:
    """Load what the plan of a batch needs.

    Most events of a storm only add to the count of an active alert, for which a few columns are enough.
    Whole alerts are loaded for the other events only.

    occurrences: by the id of the event.
    """
    summaries = alerts.load_matched(conn, {occurrence.fingerprint for occurrence in occurrences.values()})
    count_updates = plan_count_updates(occurrences.values(), summaries, rules)
    others = [
        occurrence for occurrence in occurrences.values() if occurrence.fingerprint not in count_updates
    ]
    matched = match_alerts(conn, others)
    existing = matched.active | _find_reopenable(conn, matched.ended, now, intake.reopen_within)
    ended = _find_ends(conn, matched.ended, intake.cascade_grace)
    return BatchContext(
        now=now,
        rules=rules,
        count_updates=count_updates,
        existing=existing,
        ended=matched.ended,
        ends=ended,
        early_ends=early_ends.load(conn, {occurrence.fingerprint for occurrence in others}),
        kinds_by_service=_load_kinds(conn, others, existing, ended, now),
        tenants_by_fault=_load_tenant_counts(conn, others, existing, ended, now),
    )


def _find_reopenable(
    conn: sa.Connection, ended: Mapping[str, Alert], now: datetime, reopen_within_s: float
) -> dict[str, Alert]:
    """Find the alerts that ended by themselves recently, so that the same error continues them.

    An alert of an incident that a person closed is not continued, as the person decided that it is over.
    """
    since = now - timedelta(seconds=reopen_within_s)
    recent = {name: alert for name, alert in ended.items() if _find_last_time(alert) >= since}
    closed = incidents.find_manually_closed(conn, {alert.incident_id for alert in recent.values()} - {None})
    return {name: alert for name, alert in recent.items() if alert.incident_id not in closed}


def _find_last_time(alert: Alert) -> datetime:
    """When an ended alert was last alive by our own clock; its end may be told by a clock that is behind."""
    return max(alert.last_arrival, alert.resolved_at or alert.last_arrival)


def _find_ends(conn: sa.Connection, ended: Mapping[str, Alert], grace_s: float) -> dict[str, EndedAlert]:
    causes = {alert.caused_by for alert in ended.values() if alert.caused_by is not None}
    active_causes = alerts.load_active_by_fingerprint(conn, causes)
    return {
        name: find_end(alert, cause_is_back=alert.caused_by in active_causes, grace_s=grace_s)
        for name, alert in ended.items()
    }


def _load_kinds(
    conn: sa.Connection,
    occurrences: Iterable[Occurrence],
    existing: Mapping[str, Alert],
    ends: Mapping[str, EndedAlert],
    now: datetime,
) -> dict[ServiceTenant, int] | None:
    """Count the kinds of errors by service and tenant; None if no event could exceed a limit."""
    if not any(
        can_overflow(occurrence) and opens_alert(occurrence, existing, ends) for occurrence in occurrences
    ):
        return None
    return cardinality.count_kinds(conn, now - _CARDINALITY_WINDOW)


def _load_tenant_counts(
    conn: sa.Connection,
    occurrences: Iterable[Occurrence],
    existing: Mapping[str, Alert],
    ends: Mapping[str, EndedAlert],
    now: datetime,
) -> dict[str, int] | None:
    """Count the alerts of tenants by fault; None if no event could exceed the limit."""
    faults = {
        occurrence.fault
        for occurrence in occurrences
        if has_limited_tenants(occurrence)
        and not occurrence.event.resolved
        and opens_alert(occurrence, existing, ends)
    }
    return cardinality.count_tenants(conn, faults, now - _CARDINALITY_WINDOW) if faults else None
