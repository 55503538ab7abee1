"""The connection to the database, and its schema's version."""

from __future__ import annotations

import fcntl
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from firstcause.errors import StoreError
from firstcause.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine.interfaces import DBAPIConnection

HEAD = "0001"
"""The schema's version that this program needs; a test holds it to the newest migration."""

# One number for all of firstcause: Postgres' advisory locks are named by numbers.
_WRITER_LOCK = 0x66697273
_DAEMON_LOCK = 0x66697274


class Database:
    """One database. Writers take turns, so that two can never open two incidents for one cause."""

    def __init__(self, url: str) -> None:
        self.url = _with_driver(url)
        self.engine = _engine(self.url)
        self._turn = threading.Lock()
        self.is_sqlite = self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self, *, exclusive: bool = True) -> Iterator[sa.Connection]:
        """A transaction, committed at the end. exclusive: keeps other firstcause processes out as well."""
        with (
            self._turn if self.is_sqlite else _no_turn(),
            _said(self.engine.url),
            self.engine.begin() as conn,
        ):
            if exclusive and not self.is_sqlite:
                # A statement of its own: what later ones read must be newer than the lock.
                conn.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})
            yield conn

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        with _said(self.engine.url), self.engine.connect() as conn:
            conn.execution_options(firstcause_read=True)
            yield conn

    @contextmanager
    def only_daemon(self) -> Iterator[None]:
        """Held by the daemon for as long as it runs; StoreError where another one holds it."""
        with self._sqlite_claim() if self.is_sqlite else self._postgres_claim():
            yield

    @contextmanager
    def _sqlite_claim(self) -> Iterator[None]:
        with Path(f"{self.engine.url.database}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StoreError(self._another()) from error
            yield

    @contextmanager
    def _postgres_claim(self) -> Iterator[None]:
        # A connection of its own, outside any transaction: the server frees the lock when it is gone.
        with _said(self.engine.url), self.engine.connect() as plain:
            conn = plain.execution_options(isolation_level="AUTOCOMMIT")
            held = conn.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": _DAEMON_LOCK}).scalar()
            if not held:
                raise StoreError(self._another())
            yield
            conn.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _DAEMON_LOCK})

    def _another(self) -> str:
        return f"another firstcause daemon runs on {self.shown_url}; stop it, or change [store] url"

    def version(self) -> str | None:
        """The schema's version, None where the database is empty."""
        with self.read() as conn:
            if not sa.inspect(conn).has_table("alembic_version"):
                return None
            row = conn.execute(sa.text("SELECT version_num FROM alembic_version")).first()
            return str(row[0]) if row else None

    def prepare(self) -> None:
        """Bring an empty or older database to this program's schema; refuse a newer one."""
        at = self.version()
        if at == HEAD:
            return
        if at is not None and at not in self.known_versions():
            msg = (
                f"the database at {self.shown_url} has schema {at}, which is newer than this firstcause "
                f"(schema {HEAD}); install the newer firstcause, or point [store] url elsewhere"
            )
            raise StoreError(msg)
        self.upgrade()

    def known_versions(self) -> frozenset[str]:
        return frozenset(path.name.partition("_")[0] for path in shipped("migrations").glob("versions/*.py"))

    def upgrade(self, to: str = "head") -> None:
        self._alembic("upgrade", to)

    def downgrade(self, to: str) -> None:
        self._alembic("downgrade", to)

    def _alembic(self, command: str, to: str) -> None:
        # Imported here: most commands find the schema as it should be.
        import alembic.command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415
        from alembic.util.exc import CommandError  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(shipped("migrations")))
        try:
            with self.write() as conn:
                config.attributes["connection"] = conn
                getattr(alembic.command, command)(config, to)
        except CommandError as error:
            msg = f"db {command} {to}: {error}; `firstcause db current` shows the version"
            raise StoreError(msg) from error

    @property
    def shown_url(self) -> str:
        return self.engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _no_turn() -> Iterator[None]:
    yield


@contextmanager
def _said(url: sa.URL) -> Iterator[None]:
    """Database errors as one line that names the database, never its password."""
    try:
        yield
    except DBAPIError as error:
        where = url.render_as_string(hide_password=True)
        reason = str(error.orig).strip().partition("\n")[0]
        msg = f"the database at {where} does not answer as it should: {reason}"
        raise StoreError(msg) from error
    except SQLAlchemyError as error:
        msg = f"the database at {url.render_as_string(hide_password=True)}: {error}"
        raise StoreError(msg) from error


def _with_driver(url: str) -> str:
    for plain in ("postgresql://", "postgres://"):
        if url.startswith(plain):
            return "postgresql+psycopg://" + url.removeprefix(plain)
    return url


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed)
        return sa.create_engine(parsed, pool_pre_ping=True, pool_size=8)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        msg = f"[store] url cannot be used: {error}; give sqlite:///path or postgresql://user@host/name"
        raise StoreError(msg) from error


def _sqlite(url: sa.URL) -> sa.Engine:
    if url.database and url.database != ":memory:":
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            msg = f"[store] url: the folder of {url.database} cannot be made: {error.strerror}"
            raise StoreError(msg) from error
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": 15})
    sa.event.listen(engine, "connect", _on_sqlite_connect)
    sa.event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(connection: DBAPIConnection, _record: Any) -> None:
    # We begin transactions ourselves: the driver begins them too late for a read to be in them.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL: an acknowledged event is on the disk, not only with the operating system.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _on_sqlite_begin(conn: sa.Connection) -> None:
    reading = conn.get_execution_options().get("firstcause_read", False)
    with suppress(AttributeError):
        conn.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
