"""How firstcause itself is, in numbers, for `/metrics`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.store import disk_usage, incidents, outbox
from firstcause.store.tables import alert, notification_log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstcause.health.system_state import SystemState
    from firstcause.store.database import Database


@dataclass(frozen=True)
class Metrics:
    """waiting, unsent: events and messages. incidents: open ones by priority. alerts: active ones.

    waiting_bytes: of the events that wait. taken: of the store, on disk.
    probes: name -> its component and its status, by the last check. notified: notifier and status -> tries
    to deliver, since ever. triaged, rule_evaluations: events and evaluations, since the start.
    """

    pending_events: int
    pending_event_bytes: int
    pending_notifications: int
    incidents: Mapping[str, int]
    alerts: int
    store_bytes: int
    probes: Mapping[str, tuple[str, str]]
    delivery_attempts: Mapping[tuple[str, str], int]
    processed_events: int
    rule_evaluations: int


def collect_metrics(
    database: Database, system_state: SystemState, *, processed_events: int, rule_evaluations: int
) -> Metrics:
    active = sa.select(sa.func.count()).where(alert.c.resolved_at.is_(None), alert.c.drill.is_(False))
    log_columns = notification_log.c
    tries = sa.select(log_columns.notifier, log_columns.status, sa.func.count()).group_by(
        log_columns.notifier, log_columns.status
    )
    with database.read() as conn:
        return Metrics(
            pending_events=database.inbox.count_pending(conn),
            pending_event_bytes=database.inbox.pending_bytes(conn),
            pending_notifications=outbox.count_pending(conn),
            incidents=Counter(incident.priority.value for incident in incidents.load_open(conn)),
            alerts=conn.execute(active).scalar_one(),
            store_bytes=disk_usage.measure_store(conn),
            probes={
                name: (component, reading.status.value)
                for name, (component, reading) in dict(system_state.readings).items()
            },
            delivery_attempts={(name, status): count for name, status, count in conn.execute(tries)},
            processed_events=processed_events,
            rule_evaluations=rule_evaluations,
        )
