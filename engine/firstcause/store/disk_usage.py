"""What the store takes on disk, and what of it will be used again before it takes more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.store.tables import event, metadata

if TYPE_CHECKING:
    from sqlalchemy.sql.selectable import FromClause

SAMPLE = 8192
"""Pages of the history that are looked at on Postgres."""

# Measured on both databases, with events of 200 bytes to 20 KB, no two alike: right to a seventh.
_ROW = 140
"""Bytes of an event's row besides its texts: its header, its other columns, their places in the indexes."""
_UNFILLED = 10
"""One byte of so many is lost to pages that are not full."""


def taken(conn: sa.Connection) -> int:
    """Bytes on disk, without the write-ahead log; on Postgres those of our tables and their indexes."""
    if conn.dialect.name == "sqlite":
        return _pragma(conn, "page_count") * _pragma(conn, "page_size")
    return _relations(conn, *metadata.tables)


def over(conn: sa.Connection, room: int) -> int:
    """Bytes by which more than `room` are used. What is free to be used again is not used."""
    if (on_disk := taken(conn)) <= room:
        return 0
    if conn.dialect.name == "sqlite":
        free = _pragma(conn, "freelist_count") * _pragma(conn, "page_size")
    else:
        free = _free_on_postgres(conn)
    return max(0, on_disk - free - room)


def of_event(conn: sa.Connection, row: FromClause = event) -> sa.ColumnElement[int]:
    """About as many bytes as an event takes, with its indexes."""
    own = row.c
    # Its id stands in an index too.
    texts = (own.event_id, own.event_id, own.fingerprint, own.problem, own.event)
    together = sum((_stored(conn, each) for each in texts), start=sa.literal(0))
    return together + together // _UNFILLED + _ROW


def _stored(conn: sa.Connection, column: sa.ColumnElement[object]) -> sa.ColumnElement[int]:
    """Bytes of a text, on Postgres as compressed as it lies there."""
    if conn.dialect.name == "sqlite":
        length = sa.func.length(sa.cast(column, sa.LargeBinary), type_=sa.BigInteger)
    else:
        length = sa.func.pg_column_size(column, type_=sa.BigInteger)
    return sa.func.coalesce(length, 0)


def _free_on_postgres(conn: sa.Connection) -> int:
    """Bytes of the history that hold no event, estimated by a sample of its pages.

    Its files do not become smaller when events go, and Postgres does not say how empty they are. What is
    deleted counts as free already, though autovacuum must come by before it is used again. Below 0 where
    the estimate is too high: cut off there, what goes next would seem to free nothing.
    """
    page = int(conn.execute(sa.text("SHOW block_size")).scalar_one())
    pages = conn.execute(sa.select(sa.func.pg_relation_size(event.name))).scalar_one() // page
    percent = min(100.0, 100.0 * SAMPLE / max(pages, 1))
    # The same pages each time, or chance alone would now and then let events go.
    sample = event.tablesample(sa.func.system(percent), seed=sa.literal(0))
    found = conn.execute(sa.select(sa.func.coalesce(sa.func.sum(of_event(conn, sample)), 0))).scalar_one()
    return _relations(conn, event.name) - int(float(found) * 100.0 / percent)


def _relations(conn: sa.Connection, *names: str) -> int:
    sizes = (sa.func.pg_total_relation_size(name, type_=sa.BigInteger) for name in names)
    return conn.execute(sa.select(sum(sizes, start=sa.literal(0)))).scalar_one()


def _pragma(conn: sa.Connection, name: str) -> int:
    return int(conn.exec_driver_sql(f"PRAGMA {name}").scalar_one())
