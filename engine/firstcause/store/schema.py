"""The schema of a store: its version, upgrade and downgrade."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.errors import StoreError
from firstcause.resources import shipped_path
from firstcause.store import tables
from firstcause.store.inbox import MAX_PAYLOAD_EVENTS, insert_pending
from firstcause.store.inbox_journal import JournalInbox

if TYPE_CHECKING:
    from firstcause.store.database import Database

HEAD = "0005"
"""The schema version that this program needs; a test holds it to the newest migration."""


def read_version(database: Database) -> str | None:
    """Return the version of the schema; None where the database is empty."""
    with database.read() as conn:
        if not sa.inspect(conn).has_table("alembic_version"):
            return None
        row = conn.execute(sa.text("SELECT version_num FROM alembic_version")).first()
        return str(row[0]) if row else None


def prepare(database: Database) -> None:
    """Bring an empty or older database to this program's schema.

    StoreError where another version of firstcause made the schema and this one does not know it.
    """
    if read_version(database) != HEAD:
        upgrade(database)


def upgrade(database: Database, revision: str = "head") -> None:
    """Upgrade the schema to a revision; StoreError where its version is unknown or the upgrade fails."""
    _require_known_version(database)
    _run_alembic(database, "upgrade", revision)


def downgrade(database: Database, revision: str) -> None:
    """Downgrade the schema to a revision; StoreError as for `upgrade`, or where a daemon runs.

    Events that wait for triage stay, after a downgrade to the base too.
    """
    _require_known_version(database)
    # A daemon would work on with tables that it does not know, or that are gone.
    with database.hold_daemon_lock():
        # The journal's positions are a table of the schema. Without them, what is left in the files would be
        # triaged again from their beginning.
        empty_journal(database)
        _run_alembic(database, "downgrade", revision)


def empty_journal(database: Database) -> None:
    """Move the events that wait in the journal into the inbox table.

    No other process may write to the journal meanwhile. Does nothing where the store has no journal.
    """
    if not isinstance(database.inbox, JournalInbox) or not _has_journal_table(database):
        return
    database.inbox.close()
    while _move_to_table(database, database.inbox):
        pass


def _has_journal_table(database: Database) -> bool:
    with database.read() as conn:
        return sa.inspect(conn).has_table(tables.journal.name)


def _move_to_table(database: Database, journal: JournalInbox) -> bool:
    """Move one batch of the journal; False where no event waits in it."""
    with database.write() as conn:
        batch = journal.load_from_segments(conn, MAX_PAYLOAD_EVENTS)
        if batch is None:
            return False
        batch.mark_processed(conn)
        insert_pending(conn, batch.payloads)
        return True


def _require_known_version(database: Database) -> None:
    version = read_version(database)
    if version is None or version in _list_known_versions():
        return
    msg = (
        f"the database at {database.display_url} has schema {version}, which this firstcause (schema {HEAD}) "
        "does not know: a newer firstcause made it, or one from before the first release; "
        "run the firstcause that made it, or point [store] url at a new database"
    )
    raise StoreError(msg)


def _list_known_versions() -> frozenset[str]:
    return frozenset(path.name.partition("_")[0] for path in shipped_path("migrations").glob("versions/*.py"))


def _run_alembic(database: Database, command: str, revision: str) -> None:
    # Imported here: most commands find the schema up to date and need no Alembic.
    import alembic.command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(shipped_path("migrations")))
    try:
        with database.write() as conn:
            config.attributes["connection"] = conn
            getattr(alembic.command, command)(config, revision)
    except CommandError as error:
        msg = f"db {command} {revision}: {error}; `firstcause db current` shows the version"
        raise StoreError(msg) from error
