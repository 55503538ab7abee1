"""What errors are grouped by, in the store: how many kinds there are, and new names for what there was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from firstcause.core.grouping.overflow import FURTHER
from firstcause.core.model import IncidentStatus
from firstcause.store.event_counts import OTHERS
from firstcause.store.tables import alert, incident, notification_registry, outbox

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from firstcause.core.grouping.overflow import Place
    from firstcause.core.model import Alert


def kinds(conn: sa.Connection, since: datetime) -> dict[Place, int]:
    """Alerts without an entry by service and tenant: those that are active, or were opened since then."""
    rows = conn.execute(
        sa.select(alert.c.service, alert.c.tenant, sa.func.count())
        .where(
            sa.or_(alert.c.resolved_at.is_(None), alert.c.opened_at >= since),
            alert.c.catalogued.is_(False),
            alert.c.drill.is_(False),
            alert.c.code != FURTHER,
        )
        .group_by(alert.c.service, alert.c.tenant)
    )
    return {(service, tenant): int(number) for service, tenant, number in rows}


def rename(conn: sa.Connection, before: Alert, after: Alert, since: datetime) -> None:
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
    alike = alert.c.fault == before, sa.or_(alert.c.resolved_at.is_(None), alert.c.resolved_at >= since)
    conn.execute(alert.update().where(*alike).values(fault=after))
    is_open = incident.c.status == IncidentStatus.OPEN.value
    taken = conn.execute(sa.select(incident.c.id).where(incident.c.fault == after, is_open)).first()
    alive = incident.c.resolved_at >= since if taken else sa.or_(is_open, incident.c.resolved_at >= since)
    found = sa.select(incident.c.id).where(incident.c.fault == before, alive)
    rows = list(conn.execute(found).scalars())
    if rows:
        conn.execute(incident.update().where(incident.c.id.in_(rows)).values(fault=after))
        said = outbox.c.incident_id.in_(rows), outbox.c.said_fault == before
        conn.execute(outbox.update().where(*said).values(said_fault=after))


def thin_registry(conn: sa.Connection, most: int) -> None:
    """Keep so many codes without an entry, those seen last; the others are counted together."""
    columns = notification_registry.c
    mine = columns.catalogued.is_(False), columns.code != OTHERS
    number = conn.execute(sa.select(sa.func.count()).select_from(notification_registry).where(*mine))
    if number.scalar_one() <= most:
        return
    oldest = sa.select(notification_registry).where(*mine)
    gone = conn.execute(oldest.order_by(columns.last_seen.desc(), columns.code).offset(most)).mappings().all()
    _count_others(conn, gone)
    for at in range(0, len(gone), 500):
        codes = [row["code"] for row in gone[at : at + 500]]
        conn.execute(notification_registry.delete().where(columns.code.in_(codes)))


def _count_others(conn: sa.Connection, gone: Sequence[sa.RowMapping]) -> None:
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = insert(notification_registry).values(
        code=OTHERS,
        title="codes without an entry that were not seen for long",
        catalogued=False,
        severity=gone[0]["severity"],
        first_seen=min(row["first_seen"] for row in gone),
        last_seen=max(row["last_seen"] for row in gone),
        count=sum(row["count"] for row in gone),
    )
    columns = notification_registry.c
    counted = {
        "count": columns.count + statement.excluded.count,
        "last_seen": statement.excluded.last_seen,
    }
    conn.execute(statement.on_conflict_do_update(index_elements=["code"], set_=counted))
