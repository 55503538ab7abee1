"""The audit log: who changed what and when, by page, API or command line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from firstcause.store.tables import audit


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


def write_check_entry(conn: sa.Connection) -> None:
    """Add an entry and delete it again, so that the commit writes to the disk and nothing stays."""
    values = {"at": datetime.now(UTC), "actor": "firstcause", "what": "checked that the store can be written"}
    entry_id = conn.execute(audit.insert().values(values).returning(audit.c.id)).scalar_one()
    conn.execute(audit.delete().where(audit.c.id == entry_id))


def find_last(conn: sa.Connection, actor: str, what: str) -> datetime | None:
    """Return when somebody last did that; None for never."""
    query = sa.select(sa.func.max(audit.c.at)).where(audit.c.actor == actor, audit.c.what == what)
    found: datetime | None = conn.execute(query).scalar_one()
    return found


def list_entries(conn: sa.Connection, limit: int) -> list[dict[str, Any]]:
    """List the last entries, newest first: rows with at, actor, what, about, reason."""
    columns = audit.c.at, audit.c.actor, audit.c.what, audit.c.about, audit.c.reason
    return [
        dict(row)
        for row in conn.execute(sa.select(*columns).order_by(audit.c.id.desc()).limit(limit)).mappings()
    ]
