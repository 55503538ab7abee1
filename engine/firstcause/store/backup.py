"""A copy of a store in one SQLite file, made while others write to it."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.errors import StoreError
from firstcause.store.database import JOURNAL_SUFFIX, Database
from firstcause.store.inbox_journal import JournalInbox
from firstcause.store.journal_segment import fsync_path
from firstcause.store.schema import HEAD, empty_journal
from firstcause.store.tables import journal, metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_SIZE = 1000


def back_up(database: Database, target: Path, *, replace: bool = False) -> int:
    """Copy the store and the events that wait for triage into a file; returns its size in bytes.

    The file is a SQLite store. It appears complete or not at all. Events accepted meanwhile may be in it.
    replace: overwrite a file that exists.
    StoreError where the file exists and is not to be replaced, or cannot be written.
    """
    if target.exists():
        if _is_same_file(database, target):
            raise StoreError(f"{target} is there already; name another file")
        if not replace:
            raise StoreError(f"{target} is there already; name another file, or say --replace")
    part = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        # Like the store, the copy is readable by its owner only.
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _write_copy(database, part)
        fsync_path(part)
        part.replace(target)
        fsync_path(target.parent)
        return target.stat().st_size
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        msg = (
            f"{target} cannot be written: {reason}; check that its folder is there and that its disk has room"
        )
        raise StoreError(msg) from error
    finally:
        for leftover in (part, *(Path(f"{part}{suffix}") for suffix in ("-wal", "-shm", "-journal"))):
            leftover.unlink(missing_ok=True)
        shutil.rmtree(f"{part}{JOURNAL_SUFFIX}", ignore_errors=True)


def _is_same_file(database: Database, target: Path) -> bool:
    own = Path(database.engine.url.database or "") if database.is_sqlite else None
    return own is not None and own.is_file() and target.samefile(own)


def _write_copy(database: Database, part: Path) -> None:
    copy = Database(f"sqlite:///{part}")
    with closing(copy):
        if database.is_sqlite:
            # The journal first: a segment that is triaged after this moment is deleted here, but not there.
            if isinstance(database.inbox, JournalInbox):
                database.inbox.copy(Path(f"{part}{JOURNAL_SUFFIX}"))
            with (
                closing(database.engine.raw_connection()) as source,
                closing(sqlite3.connect(part)) as target,
            ):
                plain = source.driver_connection
                if not isinstance(plain, sqlite3.Connection):
                    msg = f"{database.display_url} cannot be copied with this driver; use a sqlite:/// url"
                    raise StoreError(msg)
                # In one step: a copy in steps starts again whenever another process writes.
                plain.backup(target)
        else:
            _copy_rows(database, copy)
        empty_journal(copy)
    with closing(sqlite3.connect(part)) as plain:
        # One file, without a write-ahead log.
        plain.execute("PRAGMA journal_mode=DELETE")


def _copy_rows(database: Database, copy: Database) -> None:
    if (version := database.read_version()) != HEAD:
        msg = f"{database.display_url} has schema {version or 'none'}; run `firstcause db upgrade` first"
        raise StoreError(msg)
    copy.upgrade()
    with database.read() as source, copy.write() as target:
        # All tables as of one moment.
        source.execution_options(isolation_level="REPEATABLE READ")
        # A merged incident refers to an incident whose row may follow later.
        target.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for table in metadata.sorted_tables:
            if table is not journal:
                target.execute(table.delete())
                for rows in _iter_row_chunks(source, table):
                    target.execute(table.insert(), rows)


def _iter_row_chunks(source: sa.Connection, table: sa.Table) -> Iterator[list[dict[str, object]]]:
    result = source.execution_options(yield_per=_CHUNK_SIZE).execute(sa.select(table))
    for chunk in result.mappings().partitions():
        yield [dict(row) for row in chunk]
