"""The audit log: who changed what and when, by page, API or command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.store.tables import audit

if TYPE_CHECKING:
    from datetime import datetime


def add(
    conn: sa.Connection,
    now: datetime,
    actor: str,
    what: str,
    *,
    about: str | None = None,
    reason: str | None = None,
) -> None:
    """Add an entry to the audit log. about: the object of the change, such as "incident 7"."""
    conn.execute(audit.insert().values(at=now, actor=actor, what=what, about=about, reason=reason))


def list_entries(conn: sa.Connection, limit: int) -> list[dict[str, Any]]:
    """List the last entries, newest first: rows with at, actor, what, about, reason."""
    columns = audit.c.at, audit.c.actor, audit.c.what, audit.c.about, audit.c.reason
    return [
        dict(row)
        for row in conn.execute(sa.select(*columns).order_by(audit.c.id.desc()).limit(limit)).mappings()
    ]
