"""What happened, read back: the events in the batches in which they were triaged, and what became of them."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from firstcause.core.model import Event, NotifyReason
from firstcause.store.tables import alert, event, incident, outbox, timeline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_AT_ONCE = 5000
_TOGETHER = 500


class Kept(NamedTuple):
    """A triaged event. fingerprint: of its alert; None where it could not be triaged, and problem says why.

    event: as JSON; what stands in its place where it cannot be read.
    """

    event_id: str
    event: str
    fingerprint: str | None = None
    problem: str | None = None


def keep(conn: sa.Connection, rows: Sequence[Kept], now: datetime) -> None:
    """Write events into the history; none of their ids may be in it."""
    at = event.c.triaged_at.type.dialect_impl(conn.dialect).bind_processor(conn.dialect)
    moment = at(now) if at is not None else now
    for start in range(0, len(rows), _TOGETHER):
        part = rows[start : start + _TOGETHER]
        values = ((row.event_id, moment, row.fingerprint, row.problem, row.event) for row in part)
        conn.exec_driver_sql(_insert(len(part), conn.dialect.paramstyle), tuple(chain.from_iterable(values)))


@cache
def _insert(rows: int, style: str) -> str:
    """One statement for many rows: half the cost of one each."""
    row = "({0}, {0}, {0}, {0}, {0})".format("?" if style == "qmark" else "%s")
    columns = "event_id, triaged_at, fingerprint, problem, event"
    return f"INSERT INTO event ({columns}) VALUES {', '.join([row] * rows)}"  # noqa: S608 - marks only


def known(conn: sa.Connection, ids: Collection[str]) -> set[str]:
    """Those of the ids that are in the history."""
    given = sa.bindparam("given", list(ids), sa.ARRAY(sa.String))
    among: sa.ColumnElement[bool] = event.c.event_id == sa.any_(given)
    if conn.dialect.name == "sqlite":
        each = sa.func.json_each(json.dumps(list(ids))).table_valued("value")
        among = event.c.event_id.in_(sa.select(each.c.value))
    # One value with all ids in it: thousands of them would be as much work as looking them up.
    return set(conn.execute(sa.select(event.c.event_id).where(among)).scalars())


@dataclass(frozen=True)
class Batch:
    """Events that were triaged together."""

    at: datetime
    events: list[Event]


def begin(conn: sa.Connection, since: datetime) -> datetime:
    """The time from which to play so that all is whole from `since` on: nothing is open before it."""
    start = since
    while True:
        earlier = sa.select(sa.func.min(incident.c.opened_at)).where(
            incident.c.opened_at < start,
            sa.or_(incident.c.resolved_at.is_(None), incident.c.resolved_at >= start),
        )
        found = conn.execute(earlier).scalar()
        if found is None:
            return start
        start = found


def batches(conn: sa.Connection, start: datetime) -> Iterator[Batch]:
    """All readable events that were triaged from then on, in order, but for drills."""
    rows = conn.execution_options(yield_per=_AT_ONCE).execute(
        sa.select(event.c.triaged_at, event.c.event)
        .where(event.c.triaged_at >= start, event.c.problem.is_(None))
        .order_by(event.c.triaged_at, event.c.id)
    )
    for at, together in groupby(rows, key=lambda row: row.triaged_at):
        events = [Event.model_validate(row.event) for row in together]
        yield Batch(at, [each for each in events if not each.drill])


def reported(conn: sa.Connection, since: datetime | None) -> Iterator[dict[str, Any]]:
    """All readable events that were triaged from then on as JSON-ready values, in order, but for drills."""
    wanted = sa.select(event.c.event).where(event.c.problem.is_(None)).order_by(event.c.id)
    if since is not None:
        wanted = wanted.where(event.c.triaged_at >= since)
    for document in conn.execution_options(yield_per=_AT_ONCE).execute(wanted).scalars():
        if not document.get("drill"):
            yield document


def count(conn: sa.Connection, start: datetime) -> int:
    counted = sa.select(sa.func.count()).select_from(event).where(event.c.triaged_at >= start)
    return conn.execute(counted).scalar_one()


def closed_by_hand(conn: sa.Connection, start: datetime) -> Iterator[tuple[datetime, frozenset[str]]]:
    """When a person resolved an incident, and the fingerprints of the alerts that ended by it, in order."""
    rows = conn.execute(
        sa.select(timeline.c.at, timeline.c.incident_id, alert.c.fingerprint)
        .join(
            alert,
            sa.and_(alert.c.incident_id == timeline.c.incident_id, alert.c.resolved_at == timeline.c.at),
        )
        .join(incident, incident.c.id == timeline.c.incident_id)
        .where(
            timeline.c.at >= start, timeline.c.actor != "firstcause", incident.c.resolved_at == timeline.c.at
        )
        .order_by(timeline.c.at, timeline.c.incident_id)
    )
    for (at, _number), together in groupby(rows, key=lambda row: (row.at, row.incident_id)):
        yield at, frozenset(row.fingerprint for row in together)


def incident_of_events(conn: sa.Connection, start: datetime) -> dict[str, int]:
    """Event id -> the incident that it belongs to, for all events from then on that belong to one."""
    lives: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for row in conn.execute(
        sa.select(alert.c.fingerprint, alert.c.first_seen, alert.c.incident_id)
        .where(alert.c.incident_id.is_not(None))
        .order_by(alert.c.fingerprint, alert.c.first_seen, alert.c.id)
    ):
        lives[row.fingerprint].append((row.first_seen, row.incident_id))
    found: dict[str, int] = {}
    for row in conn.execute(
        sa.select(event.c.event_id, event.c.fingerprint, event.c.event["time"].as_string().label("time"))
        .where(event.c.triaged_at >= start, event.c.fingerprint.is_not(None))
        .order_by(event.c.id)
    ):
        own = lives.get(row.fingerprint)
        if own:
            time = datetime.fromisoformat(row.time).astimezone(UTC)
            place = bisect_right(own, time, key=lambda life: life[0])
            found[row.event_id] = own[max(place - 1, 0)][1]
    return found


def said(conn: sa.Connection, now: datetime) -> dict[int, list[str] | None]:
    """Incident -> the reasons for which people were told, each once, in order.

    Reminders and escalations are left out: they hang on what people did, not on rules. None where something
    was due and nobody delivered it, so that it is not known what would have been said.
    """
    found: dict[int, list[str] | None] = {}
    for row in conn.execute(
        sa.select(
            outbox.c.incident_id,
            outbox.c.reason,
            outbox.c.outcome,
            outbox.c.due_at,
            outbox.c.held_by,
            incident.c.resolved_at,
        )
        .join(incident, incident.c.id == outbox.c.incident_id)
        .where(outbox.c.reason.not_in([NotifyReason.REMINDER.value, NotifyReason.ESCALATED.value]))
        .order_by(outbox.c.id)
    ):
        reasons = found.setdefault(row.incident_id, [])
        due = row.held_by is not None or row.due_at <= (row.resolved_at or now)
        unsaid = due and row.outcome in {None, "cancelled"}
        if unsaid or reasons is None:
            found[row.incident_id] = None
        elif row.outcome == "sent" and row.reason not in reasons:
            reasons.append(row.reason)
    return found
