"""What is the same each time that a test needs it: rule books that were read, a schema that was made.

Reading the shipped rules takes half a second, and migrating an empty store a third of one. Both are done once
in a process, and then repeated by content: a rule book is shared by all who read the same files, and the
statements that a migration of an empty store ran are run again.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.app.application import Application
from firstcause.config import Settings
from firstcause.core.model import Event
from firstcause.rulefiles import load as rule_loader
from firstcause.store import schema
from firstcause.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from firstcause.rulefiles.load import RuleBook, RuleFolder
    from firstcause.rulefiles.thresholds import ThresholdValue
    from firstcause.store.database import Database

_MAX_BOOKS = 4
_QUERIES = ("SELECT", "PRAGMA", "BEGIN", "SHOW")

_read_rule_book = rule_loader._load_rule_book
run_migrations = schema.upgrade
"""What `schema.upgrade` is where nothing is shared."""

_books: dict[bytes, RuleBook] = {}
_statements: dict[str, list[tuple[str, Any]]] = {}


def share() -> None:
    """Let all in this process share. What fails is not kept, and fails again."""
    rule_loader._load_rule_book = _load_shared_rule_book
    schema.upgrade = _upgrade_by_repeating


def warm_up() -> None:
    """Report one error to a store in memory, so that what is compiled and read for it is there for children.

    No thread is left.
    """
    application = Application(Settings.model_validate({"store": {"url": "sqlite://"}}))
    application.database.prepare()
    application.load()
    create_app(application).stop_jobs()
    now = datetime.now(UTC)
    event = Event(id="first", code="NOBODY_KNOWS_IT", time=now)
    application.intake.accept([event], now)
    application.pipeline.triage_all(now)
    application.incidents.list_incidents(None, 10)
    application.close()


def _load_shared_rule_book(
    folders: Sequence[Path | RuleFolder],
    thresholds: Mapping[str, ThresholdValue],
    *,
    complete: bool,
    open_kinds: bool,
) -> RuleBook:
    key = _digest_rules(folders, thresholds, complete=complete, open_kinds=open_kinds)
    if key is None:
        return _read_rule_book(folders, thresholds, complete=complete, open_kinds=open_kinds)
    if key in _books:
        # The last used are at the end.
        _books[key] = _books.pop(key)
        return _books[key]
    _books[key] = _read_rule_book(folders, thresholds, complete=complete, open_kinds=open_kinds)
    while len(_books) > _MAX_BOOKS:
        del _books[next(iter(_books))]
    return _books[key]


def _digest_rules(
    folders: Sequence[Path | RuleFolder],
    thresholds: Mapping[str, ThresholdValue],
    *,
    complete: bool,
    open_kinds: bool,
) -> bytes | None:
    """Digest all that a rule book depends on; None where a file cannot be read."""
    digest = hashlib.blake2b(repr((folders, sorted(thresholds.items()), complete, open_kinds)).encode())
    try:
        for part in _iterate_files(folders):
            digest.update(part)
    except OSError:
        return None
    return digest.digest()


def _iterate_files(folders: Sequence[Path | RuleFolder]) -> Iterator[bytes]:
    for folder in folders:
        path = folder.path if isinstance(folder, rule_loader.RuleFolder) else folder
        for file in rule_loader.find_rule_files(path):
            content = file.read_bytes()
            yield f"{file.resolve()}:{len(content)}:".encode()
            yield content


def _upgrade_by_repeating(database: Database, revision: str = "head") -> None:
    if revision != "head" or not _is_new(database):
        run_migrations(database, revision)
        return
    statements = _record_statements(database.engine.dialect.name, database)
    if statements is None:
        return
    with database.write() as conn:
        # Another process may have been faster.
        if not _has_version_table(conn):
            for statement, parameters in statements:
                conn.exec_driver_sql(statement, parameters)


def _is_new(database: Database) -> bool:
    with database.read() as conn:
        return not _has_version_table(conn)


def _has_version_table(conn: sa.Connection) -> bool:
    return sa.inspect(conn).has_table("alembic_version")


def _record_statements(dialect: str, database: Database) -> list[tuple[str, Any]] | None:
    """The statements that make the schema; None where this database was the first, and has been upgraded."""
    if dialect in _statements:
        return _statements[dialect]
    recorded: list[tuple[str, Any]] = []

    def record(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(_QUERIES):
            recorded.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", record)
    try:
        run_migrations(database)
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", record)
    _statements[dialect] = recorded
    return None
