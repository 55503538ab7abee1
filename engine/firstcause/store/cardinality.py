"""Limits on how many kinds of errors the store holds: counts of alerts and of codes without an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.core.grouping.overflow import OVERFLOW_CODE
from firstcause.store.event_counts import OTHER_CODES
from firstcause.store.statements import split_into_chunks, upsert
from firstcause.store.tables import alert, notification_registry

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from firstcause.core.grouping.overflow import ServiceTenant


def count_kinds(conn: sa.Connection, since: datetime) -> dict[ServiceTenant, int]:
    """Count uncatalogued alerts by service and tenant: active ones, and those opened since then."""
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


def count_tenants(conn: sa.Connection, faults: Collection[str], since: datetime) -> dict[str, int]:
    """Count alerts of tenants by fault: active ones, and those opened since then."""
    counts: dict[str, int] = {}
    for chunk in split_into_chunks(sorted(faults)):
        rows = conn.execute(
            sa.select(alert.c.fault, sa.func.count())
            .where(
                sa.or_(alert.c.resolved_at.is_(None), alert.c.opened_at >= since),
                alert.c.fault.in_(chunk),
                alert.c.tenant.is_not(None),
                alert.c.drill.is_(False),
            )
            .group_by(alert.c.fault)
        )
        counts |= {fault: int(total) for fault, total in rows}
    return counts


def prune_registry(conn: sa.Connection, max_codes: int) -> None:
    """Keep the codes without a catalog entry that were seen last; merge the others into one row."""
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
    for codes in split_into_chunks([row["code"] for row in removed]):
        conn.execute(notification_registry.delete().where(columns.code.in_(codes)))


def _merge_into_others(conn: sa.Connection, removed: Sequence[sa.RowMapping]) -> None:
    row = {
        "code": OTHER_CODES,
        "title": "codes without an entry that were not seen for long",
        "catalogued": False,
        "severity": removed[0]["severity"],
        "first_seen": min(row["first_seen"] for row in removed),
        "last_seen": max(row["last_seen"] for row in removed),
        "count": sum(row["count"] for row in removed),
    }
    upsert(conn, notification_registry, [row], ["code"], replace=["last_seen"], add=["count"])
