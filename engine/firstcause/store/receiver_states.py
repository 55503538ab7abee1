"""What each notifier of each route has told its people about an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from firstcause.core.notify.receiver import Attempt, Knowledge, ReceiverState, merge_states
from firstcause.store.tables import receiver_state

if TYPE_CHECKING:
    from collections.abc import Collection

_ATTEMPTS = TypeAdapter(tuple[Attempt, ...])

StatesByRoute = dict[str, dict[str, ReceiverState]]
"""Route -> notifier -> its state."""


def load(conn: sa.Connection, incident_id: int, route: str, notifier: str) -> ReceiverState:
    """Load the state of one receiver; an empty one if it knows nothing."""
    columns = receiver_state.c
    query = sa.select(receiver_state).where(
        columns.incident_id == incident_id, columns.route == route, columns.notifier == notifier
    )
    row = conn.execute(query).first()
    return ReceiverState() if row is None else _parse_row(row)


def load_by_incident(conn: sa.Connection, incident_ids: Collection[int]) -> dict[int, StatesByRoute]:
    """Load the states of all receivers of some incidents."""
    states: dict[int, StatesByRoute] = {incident_id: {} for incident_id in incident_ids}
    query = sa.select(receiver_state).where(receiver_state.c.incident_id.in_(list(incident_ids)))
    for row in conn.execute(query.order_by(receiver_state.c.route, receiver_state.c.notifier)):
        states[row.incident_id].setdefault(row.route, {})[row.notifier] = _parse_row(row)
    return states


def save(conn: sa.Connection, incident_id: int, route: str, notifier: str, state: ReceiverState) -> None:
    """Save the state of one receiver, replacing the one that is stored."""
    columns = receiver_state.c
    values = _format_values(state)
    updated = conn.execute(
        receiver_state.update()
        .where(columns.incident_id == incident_id, columns.route == route, columns.notifier == notifier)
        .values(values)
    )
    if not updated.rowcount:
        keys = {"incident_id": incident_id, "route": route, "notifier": notifier}
        conn.execute(receiver_state.insert().values(keys | values))


def move(conn: sa.Connection, merged_id: int, target_id: int) -> None:
    """Move the states of a merged incident to the incident that it was merged into."""
    states = load_by_incident(conn, [merged_id, target_id])
    for route, by_notifier in states[merged_id].items():
        for notifier, state in by_notifier.items():
            target = states[target_id].get(route, {}).get(notifier, ReceiverState())
            save(conn, target_id, route, notifier, merge_states(target, state))
    conn.execute(receiver_state.delete().where(receiver_state.c.incident_id == merged_id))


def _parse_row(row: Any) -> ReceiverState:
    return ReceiverState(
        knows=None if row.knows is None else Knowledge(row.knows),
        fault=row.fault,
        attempts=_ATTEMPTS.validate_python(row.attempts),
        refused=row.refused,
        receipts_for=row.receipts_for,
        receipts=dict(row.receipts),
    )


def _format_values(state: ReceiverState) -> dict[str, Any]:
    return {
        "knows": None if state.knows is None else state.knows.value,
        "fault": state.fault,
        "attempts": _ATTEMPTS.dump_python(state.attempts, mode="json"),
        "refused": state.refused,
        "receipts_for": state.receipts_for,
        "receipts": dict(state.receipts),
    }
