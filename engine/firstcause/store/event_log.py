"""The history of events: appended by batch when triaged, read for replay, export and comparison."""

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

from firstcause.core.model import Event
from firstcause.core.notification import NotifyReason
from firstcause.core.selfcheck.state import SetAside
from firstcause.store.statements import split_into_chunks
from firstcause.store.tables import alert, event, incident, outbox, timeline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_FETCH_SIZE = 5000

_SET_ASIDE_SEARCH_ROWS = 20_000
"""How many of the latest events are searched for those that were set aside; no index finds these."""


class EventRecord(NamedTuple):
    """A triaged event.

    event: as JSON; where the event cannot be read, the JSON that was sent.
    fingerprint: of its alert; None where the event could not be triaged.
    problem: why the event could not be triaged; None where it was.
    """

    event_id: str
    event: str
    fingerprint: str | None = None
    problem: str | None = None


def append(conn: sa.Connection, rows: Sequence[EventRecord], now: datetime) -> None:
    """Append events to the history; none of their ids may be in it."""
    bind_time = event.c.triaged_at.type.dialect_impl(conn.dialect).bind_processor(conn.dialect)
    triaged_at = bind_time(now) if bind_time is not None else now
    for chunk in split_into_chunks(rows):
        values = ((row.event_id, triaged_at, row.fingerprint, row.problem, row.event) for row in chunk)
        conn.exec_driver_sql(
            _build_insert(len(chunk), conn.dialect.paramstyle), tuple(chain.from_iterable(values))
        )


@cache
def _build_insert(row_count: int, paramstyle: str) -> str:
    """Build one statement for many rows, which takes half the time of a statement for each."""
    row = "({0}, {0}, {0}, {0}, {0})".format("?" if paramstyle == "qmark" else "%s")
    columns = "event_id, triaged_at, fingerprint, problem, event"
    return f"INSERT INTO event ({columns}) VALUES {', '.join([row] * row_count)}"  # noqa: S608 - marks only


def find_existing(conn: sa.Connection, event_ids: Collection[str]) -> set[str]:
    """Find which of the ids are in the history."""
    id_array = sa.bindparam("ids", list(event_ids), sa.ARRAY(sa.String))
    condition: sa.ColumnElement[bool] = event.c.event_id == sa.any_(id_array)
    if conn.dialect.name == "sqlite":
        id_table = sa.func.json_each(json.dumps(list(event_ids))).table_valued("value")
        condition = event.c.event_id.in_(sa.select(id_table.c.value))
    # One parameter with all ids: binding thousands of parameters takes as long as the search itself.
    return set(conn.execute(sa.select(event.c.event_id).where(condition)).scalars())


@dataclass(frozen=True)
class EventBatch:
    """Events that were triaged together."""

    triaged_at: datetime
    events: list[Event]


def find_replay_start(conn: sa.Connection, since: datetime) -> datetime:
    """Find the time from which to replay so that every incident since `since` is complete.

    No incident is open at the returned time.
    """
    start = since
    while True:
        query = sa.select(sa.func.min(incident.c.opened_at)).where(
            incident.c.opened_at < start,
            sa.or_(incident.c.resolved_at.is_(None), incident.c.resolved_at >= start),
        )
        opened_at = conn.execute(query).scalar()
        if opened_at is None:
            return start
        start = opened_at


def iter_batches(conn: sa.Connection, start: datetime) -> Iterator[EventBatch]:
    """Yield the readable events that were triaged since then, by batch and in order, without drills."""
    rows = conn.execution_options(yield_per=_FETCH_SIZE).execute(
        sa.select(event.c.triaged_at, event.c.event)
        .where(event.c.triaged_at >= start, event.c.problem.is_(None))
        .order_by(event.c.triaged_at, event.c.id)
    )
    for triaged_at, group in groupby(rows, key=lambda row: row.triaged_at):
        events = [Event.model_validate(row.event) for row in group]
        yield EventBatch(triaged_at, [item for item in events if not item.drill])


def iter_events(conn: sa.Connection, since: datetime | None) -> Iterator[dict[str, Any]]:
    """Yield the readable events that were triaged since then as JSON values, in order, without drills."""
    query = sa.select(event.c.event).where(event.c.problem.is_(None)).order_by(event.c.id)
    if since is not None:
        query = query.where(event.c.triaged_at >= since)
    for document in conn.execution_options(yield_per=_FETCH_SIZE).execute(query).scalars():
        if not document.get("drill"):
            yield document


def find_last_time(conn: sa.Connection) -> datetime | None:
    """Return when the last event was triaged; None where there was none."""
    query = sa.select(event.c.triaged_at).order_by(event.c.id.desc()).limit(1)
    found: datetime | None = conn.execute(query).scalar()
    return found


def find_set_aside(conn: sa.Connection, since: datetime) -> SetAside | None:
    """Return the events among the latest that were set aside since then; None where there are none."""
    newest = (
        sa.select(event.c.id, event.c.triaged_at, event.c.problem)
        .order_by(event.c.id.desc())
        .limit(_SET_ASIDE_SEARCH_ROWS)
        .subquery()
    )
    query = sa.select(newest.c.triaged_at, newest.c.problem).where(
        newest.c.problem.is_not(None), newest.c.triaged_at >= since
    )
    rows = conn.execute(query.order_by(newest.c.id)).all()
    if not rows:
        return None
    return SetAside(len(rows), rows[0].triaged_at, rows[-1].triaged_at, rows[-1].problem)


def count(conn: sa.Connection, start: datetime) -> int:
    """Count the events that were triaged since then."""
    query = sa.select(sa.func.count()).select_from(event).where(event.c.triaged_at >= start)
    return conn.execute(query).scalar_one()


def iter_manual_closures(conn: sa.Connection, start: datetime) -> Iterator[tuple[datetime, frozenset[str]]]:
    """Yield when people resolved incidents and the fingerprints of the alerts that ended so, in order."""
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
    for (resolved_at, _incident_id), group in groupby(rows, key=lambda row: (row.at, row.incident_id)):
        yield resolved_at, frozenset(row.fingerprint for row in group)


def map_events_to_incidents(conn: sa.Connection, start: datetime) -> dict[str, int]:
    """Map the ids of events that were triaged since then to the ids of their incidents."""
    alert_spans: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for row in conn.execute(
        sa.select(alert.c.fingerprint, alert.c.first_seen, alert.c.incident_id)
        .where(alert.c.incident_id.is_not(None))
        .order_by(alert.c.fingerprint, alert.c.first_seen, alert.c.id)
    ):
        alert_spans[row.fingerprint].append((row.first_seen, row.incident_id))
    incident_ids: dict[str, int] = {}
    for row in conn.execute(
        sa.select(event.c.event_id, event.c.fingerprint, event.c.event["time"].as_string().label("time"))
        .where(event.c.triaged_at >= start, event.c.fingerprint.is_not(None))
        .order_by(event.c.id)
    ):
        spans = alert_spans.get(row.fingerprint)
        if spans:
            time = datetime.fromisoformat(row.time).astimezone(UTC)
            index = bisect_right(spans, time, key=lambda span: span[0])
            incident_ids[row.event_id] = spans[max(index - 1, 0)][1]
    return incident_ids


def load_notified_reasons(conn: sa.Connection, now: datetime) -> dict[int, list[str] | None]:
    """Load the reasons for which people were notified of each incident, without repeats, in order.

    Reminders and escalations are left out: they depend on what people did, not on rules. None where a
    notification was due and not delivered, so that the reasons are not complete.
    """
    reasons_by_incident: dict[int, list[str] | None] = {}
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
        reasons = reasons_by_incident.setdefault(row.incident_id, [])
        due = row.held_by is not None or row.due_at <= (row.resolved_at or now)
        undelivered = due and row.outcome in {None, "cancelled"}
        if undelivered or reasons is None:
            reasons_by_incident[row.incident_id] = None
        elif row.outcome == "sent" and row.reason not in reasons:
            reasons.append(row.reason)
    return reasons_by_incident
