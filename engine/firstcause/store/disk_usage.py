"""What the store takes on disk, and what of it will be used again before it takes more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.store.tables import event, metadata

if TYPE_CHECKING:
    from sqlalchemy.sql.selectable import FromClause

SAMPLE_PAGES = 8192
"""Pages of the history that are looked at on Postgres."""

# Measured on both databases, with events of 200 bytes to 20 KB, no two alike: right to a seventh.
_ROW_OVERHEAD_BYTES = 140
"""Bytes of an event's row besides its texts: its header, its other columns, their places in the indexes."""
_UNFILLED_DIVISOR = 10
"""One byte of so many is lost to pages that are not full."""


def measure_store(conn: sa.Connection) -> int:
    """Bytes on disk, without the write-ahead log; on Postgres those of our tables and their indexes."""
    if conn.dialect.name == "sqlite":
        return _read_pragma(conn, "page_count") * _read_pragma(conn, "page_size")
    return _sum_relation_sizes(conn, *metadata.tables)


def measure_excess(conn: sa.Connection, max_bytes: int) -> int:
    """Bytes by which more than `room` are used. What is free to be used again is not used."""
    if (on_disk := measure_store(conn)) <= max_bytes:
        return 0
    if conn.dialect.name == "sqlite":
        free = _read_pragma(conn, "freelist_count") * _read_pragma(conn, "page_size")
    else:
        free = _estimate_postgres_free(conn)
    return max(0, on_disk - free - max_bytes)


def estimate_event_size(conn: sa.Connection, row: FromClause = event) -> sa.ColumnElement[int]:
    """About as many bytes as an event takes, with its indexes."""
    columns = row.c
    # Its id stands in an index too.
    texts = (columns.event_id, columns.event_id, columns.fingerprint, columns.problem, columns.event)
    size = sum((_text_size(conn, text) for text in texts), start=sa.literal(0))
    return size + size // _UNFILLED_DIVISOR + _ROW_OVERHEAD_BYTES


def _text_size(conn: sa.Connection, column: sa.ColumnElement[object]) -> sa.ColumnElement[int]:
    """Bytes of a text, on Postgres as compressed as it lies there."""
    if conn.dialect.name == "sqlite":
        length = sa.func.length(sa.cast(column, sa.LargeBinary), type_=sa.BigInteger)
    else:
        length = sa.func.pg_column_size(column, type_=sa.BigInteger)
    return sa.func.coalesce(length, 0)


def _estimate_postgres_free(conn: sa.Connection) -> int:
    """Bytes of the history that hold no event, estimated by a sample of its pages.

    Its files do not become smaller when events go, and Postgres does not say how empty they are. What is
    deleted counts as free already, though autovacuum must come by before it is used again. Below 0 where
    the estimate is too high: cut off there, what goes next would seem to free nothing.
    """
    page = int(conn.execute(sa.text("SHOW block_size")).scalar_one())
    pages = conn.execute(sa.select(sa.func.pg_relation_size(event.name))).scalar_one() // page
    percent = min(100.0, 100.0 * SAMPLE_PAGES / max(pages, 1))
    # The same pages each time, or chance alone would now and then let events go.
    sample = event.tablesample(sa.func.system(percent), seed=sa.literal(0))
    result = conn.execute(
        sa.select(sa.func.coalesce(sa.func.sum(estimate_event_size(conn, sample)), 0))
    ).scalar_one()
    return _sum_relation_sizes(conn, event.name) - int(float(result) * 100.0 / percent)


def _sum_relation_sizes(conn: sa.Connection, *names: str) -> int:
    sizes = (sa.func.pg_total_relation_size(name, type_=sa.BigInteger) for name in names)
    return conn.execute(sa.select(sum(sizes, start=sa.literal(0)))).scalar_one()


def _read_pragma(conn: sa.Connection, name: str) -> int:
    return int(conn.exec_driver_sql(f"PRAGMA {name}").scalar_one())
