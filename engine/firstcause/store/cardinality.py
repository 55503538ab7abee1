"""What errors are grouped by, in the store: how many kinds there are, and new names for what there was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from firstcause.core.grouping.overflow import OVERFLOW_CODE
from firstcause.core.model import IncidentStatus
from firstcause.store.event_counts import OTHER_CODES
from firstcause.store.tables import alert, incident, notification_registry, outbox

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from firstcause.core.grouping.overflow import ServiceTenant
    from firstcause.core.model import Alert


def count_kinds(conn: sa.Connection, since: datetime) -> dict[ServiceTenant, int]:
    """Alerts without an entry by service and tenant: those that are active, or were opened since then."""
    rows = conn.execute(
        sa.select(alert.c.service, alert.c.tenant, sa.func.count())
        .where(
            sa.or_(alert.c.resolved_at.is_(None), alert.c.opened_at >= since),
            alert.c.catalogued.is_(False),
            alert.c.drill.is_(False),
            alert.c.code != OVERFLOW_CODE,
        )
        .group_by(alert.c.service, alert.c.tenant)
    )
    return {(service, tenant): int(total) for service, tenant, total in rows}


def rename_alert(conn: sa.Connection, before: Alert, after: Alert, since: datetime) -> None:
    """Give an alert, and what refers to it, the names of a newer version.

    since: as far back as ended incidents may go on. The other alerts of its fault follow: else they would
    be another incident's.
    """
    row = alert.c.id == before.stored_id
    names = {"fingerprint": after.fingerprint, "fault": after.fault, "former": before.fingerprint}
    conn.execute(alert.update().where(row).values(names))
    if before.incident_id is not None:
        caused = alert.c.incident_id == before.incident_id, alert.c.caused_by == before.fingerprint
        conn.execute(alert.update().where(*caused).values(caused_by=after.fingerprint))
    if before.fault != after.fault:
        _rename_fault(conn, before.fault, after.fault, since)


def _rename_fault(conn: sa.Connection, before: str, after: str, since: datetime) -> None:
    same_fault = alert.c.fault == before, sa.or_(alert.c.resolved_at.is_(None), alert.c.resolved_at >= since)
    conn.execute(alert.update().where(*same_fault).values(fault=after))
    is_open = incident.c.status == IncidentStatus.OPEN.value
    existing = conn.execute(sa.select(incident.c.id).where(incident.c.fault == after, is_open)).first()
    in_scope = (
        incident.c.resolved_at >= since if existing else sa.or_(is_open, incident.c.resolved_at >= since)
    )
    query = sa.select(incident.c.id).where(incident.c.fault == before, in_scope)
    incident_ids = list(conn.execute(query).scalars())
    if incident_ids:
        conn.execute(incident.update().where(incident.c.id.in_(incident_ids)).values(fault=after))
        notified = outbox.c.incident_id.in_(incident_ids), outbox.c.said_fault == before
        conn.execute(outbox.update().where(*notified).values(said_fault=after))


def prune_registry(conn: sa.Connection, max_codes: int) -> None:
    """Keep so many codes without an entry, those seen last; the others are counted together."""
    columns = notification_registry.c
    uncatalogued = columns.catalogued.is_(False), columns.code != OTHER_CODES
    total = conn.execute(sa.select(sa.func.count()).select_from(notification_registry).where(*uncatalogued))
    if total.scalar_one() <= max_codes:
        return
    oldest = sa.select(notification_registry).where(*uncatalogued)
    removed = (
        conn.execute(oldest.order_by(columns.last_seen.desc(), columns.code).offset(max_codes))
        .mappings()
        .all()
    )
    _merge_into_others(conn, removed)
    for start in range(0, len(removed), 500):
        codes = [row["code"] for row in removed[start : start + 500]]
        conn.execute(notification_registry.delete().where(columns.code.in_(codes)))


def _merge_into_others(conn: sa.Connection, removed: Sequence[sa.RowMapping]) -> None:
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = insert(notification_registry).values(
        code=OTHER_CODES,
        title="codes without an entry that were not seen for long",
        catalogued=False,
        severity=removed[0]["severity"],
        first_seen=min(row["first_seen"] for row in removed),
        last_seen=max(row["last_seen"] for row in removed),
        count=sum(row["count"] for row in removed),
    )
    columns = notification_registry.c
    updates = {
        "count": columns.count + statement.excluded.count,
        "last_seen": statement.excluded.last_seen,
    }
    conn.execute(statement.on_conflict_do_update(index_elements=["code"], set_=updates))
