"""SQL statements that several modules of the store use, for SQLite and Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import sqlalchemy as sa

CHUNK_SIZE = 500
"""Values in one statement: SQLite limits how many parameters a statement may have."""

T = TypeVar("T")


def split_into_chunks(values: Collection[T], size: int = CHUNK_SIZE) -> Iterator[list[T]]:
    """Split values into lists of at most `size`, in their order."""
    items = list(values)
    for start in range(0, len(items), size):
        yield items[start : start + size]


def upsert(
    conn: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    *,
    replace: Sequence[str] = (),
    add: Sequence[str] = (),
) -> None:
    """Insert rows, or update those whose keys are in the table.

    keys: the columns of the table's primary key.
    replace: columns that take the new value in a row that is there.
    add: columns to which the new value is added in a row that is there. Neither: such a row stays as it is.
    """
    if not rows:
        return
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table)
    new = statement.excluded
    updates = {name: new[name] for name in replace} | {name: table.c[name] + new[name] for name in add}
    on_conflict = (
        statement.on_conflict_do_update(index_elements=keys, set_=updates)
        if updates
        else statement.on_conflict_do_nothing(index_elements=keys)
    )
    conn.execute(on_conflict, [dict(row) for row in rows])
