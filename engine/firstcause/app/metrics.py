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

    from firstcause.health.system_state import World
    from firstcause.store.database import Database


@dataclass(frozen=True)
class Measures:
    """waiting, unsent: events and messages. incidents: open ones by priority. alerts: active ones.

    waiting_bytes: of the events that wait. taken: of the store, on disk.
    probes: name -> its component and its status, by the last check. notified: notifier and status -> tries
    to deliver, since ever. triaged, rule_runs: events and evaluations, since the start.
    """

    waiting: int
    waiting_bytes: int
    unsent: int
    incidents: Mapping[str, int]
    alerts: int
    taken: int
    probes: Mapping[str, tuple[str, str]]
    notified: Mapping[tuple[str, str], int]
    triaged: int
    rule_runs: int


def measured(database: Database, world: World, *, triaged: int, rule_runs: int) -> Measures:
    active = sa.select(sa.func.count()).where(alert.c.resolved_at.is_(None), alert.c.drill.is_(False))
    told = notification_log.c
    tries = sa.select(told.notifier, told.status, sa.func.count()).group_by(told.notifier, told.status)
    with database.read() as conn:
        return Measures(
            waiting=database.inbox.count_waiting(conn),
            waiting_bytes=database.inbox.bytes_waiting(conn),
            unsent=outbox.count_waiting(conn),
            incidents=Counter(each.priority.value for each in incidents.still_open(conn)),
            alerts=conn.execute(active).scalar_one(),
            taken=disk_usage.taken(conn),
            probes={
                name: (component, reading.status.value)
                for name, (component, reading) in dict(world.readings).items()
            },
            notified={(name, status): number for name, status, number in conn.execute(tries)},
            triaged=triaged,
            rule_runs=rule_runs,
        )
