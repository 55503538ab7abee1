from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import stat
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from firstcause.core.model import Event
from firstcause.errors import StoreError, StoreUnavailableError
from firstcause.store import dependencies, inbox
from firstcause.store.database import Database
from firstcause.store.inbox_journal import JournalInbox
from firstcause.store.locks import FairLock
from firstcause.store.tables import event
from firstcause.store.tables import inbox as table
from support.database_servers import run_server
from support.firstcause_process import wait_until
from support.pgbouncer_server import PgBouncer

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    Program = Callable[..., subprocess.Popen[str]]

TIME = datetime(2026, 3, 1, tzinfo=UTC)

CLAIM = """
import sys
from firstcause.errors import StoreError
from firstcause.store.database import Database
try:
    with Database(sys.argv[1]).hold_daemon_lock():
        print("held", flush=True)
        sys.stdin.readline()
except StoreError as error:
    print(f"refused: {error}", flush=True)
"""

WRITE = """
import sys
from datetime import UTC, datetime, timedelta
from firstcause.core.model import Event
from firstcause.store import dependencies, inbox
from firstcause.store.database import Database
database, now, number = Database(sys.argv[1]), datetime(2026, 3, 1, tzinfo=UTC), 0
while True:
    with database.write(exclusive=False) as conn:
        names = [f"{number} a", f"{number} b"]
        inbox.insert_payloads(conn, inbox.pack_events([Event(id=names[0], time=now)]), now)
        inbox.insert_payloads(conn, inbox.pack_events([Event(id=names[1], time=now)]), now)
    print(number, flush=True)
    number += 1
"""

OPEN_TRANSACTION = """
import sys
from datetime import UTC, datetime, timedelta
from firstcause.core.model import Event
from firstcause.store import dependencies, inbox
from firstcause.store.database import Database
now = datetime(2026, 3, 1, tzinfo=UTC)
with Database(sys.argv[1]).write() as conn:
    inbox.insert_payloads(conn, inbox.pack_events([Event(id="never committed", time=now)]), now)
    print("written", flush=True)
    sys.stdin.readline()
"""

# Root may write anywhere, so it becomes somebody else first.
PREPARE_AS_NOBODY = """
import os, sys
import firstcause.core.model, firstcause.store.inbox
from firstcause.errors import StoreError
from firstcause.store.database import Database
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    database = Database(sys.argv[1])
    getattr(database, sys.argv[2])().__enter__() if sys.argv[2] == "hold_daemon_lock" else database.prepare()
except StoreError as error:
    print(error)
"""


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def stored(database: Database) -> list[str]:
    with database.read() as conn:
        bodies = conn.execute(sa.select(table.c.body).order_by(table.c.seq)).scalars()
        return [event["id"] for body in bodies for event in json.loads(body)]


def put(database: Database, name: str) -> None:
    with database.write() as conn:
        inbox.insert_payloads(conn, inbox.pack_events([Event(id=name, time=TIME)]), TIME)


def test_a_second_daemon_is_refused(database: Database, store_url: str) -> None:
    with contextlib.closing(Database(store_url)) as second:
        with database.hold_daemon_lock():
            for each in (second, database):
                with pytest.raises(StoreError, match=r"another firstcause daemon runs.*; stop it, or"):
                    each.hold_daemon_lock().__enter__()
            put(second, "others may still write")
        with second.hold_daemon_lock():
            pass
    assert stored(database) == ["others may still write"]


def test_a_second_daemon_is_refused_in_another_process(
    database: Database, store_url: str, program: Program
) -> None:
    with database.hold_daemon_lock():
        assert line(program(CLAIM, store_url)).startswith("refused: another firstcause daemon runs")
    assert line(program(CLAIM, store_url)) == "held"


def test_a_daemon_that_was_killed_holds_nothing(database: Database, store_url: str, program: Program) -> None:
    holder = program(CLAIM, store_url)
    assert line(holder) == "held"
    with pytest.raises(StoreError, match="another firstcause daemon"):
        database.hold_daemon_lock().__enter__()
    holder.kill()
    holder.wait()

    def free() -> bool:
        with contextlib.suppress(StoreError), database.hold_daemon_lock():
            return True
        return False

    assert any(free() or threading.Event().wait(0.05) for _ in range(200))


def test_a_daemon_that_failed_holds_nothing(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), database.hold_daemon_lock():
            raise ZeroDivisionError
    with database.hold_daemon_lock():
        pass


def test_a_daemon_whose_server_went_away_ends_in_peace(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("no server")
    # The pool has a second session, for which the claim asks at its end.
    with database.engine.connect(), database.engine.connect():
        pass
    with database.hold_daemon_lock(), database.write() as conn:
        others = sa.text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert conn.execute(others).all()
    with database.hold_daemon_lock():
        pass


def test_a_daemon_on_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(Database("sqlite://")) as memory, memory.hold_daemon_lock():
        memory.prepare()
        put(memory, "a")
        assert stored(memory) == ["a"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:sesame@127.0.0.1:1/store",
        "postgres://anna:sesame@127.0.0.1:1/store",
        "postgresql+psycopg://anna:sesame@127.0.0.1:1/store",
        "postgresql://anna@127.0.0.1:1/store?password=sesame&application_name=x",
        "postgresql://anna:ses%40ame@127.0.0.1:1/store",
    ],
)
def test_no_password_is_shown(url: str) -> None:
    with contextlib.closing(Database(url)) as database:
        assert "anna" in database.display_url
        assert "127.0.0.1:1/store" in database.display_url
        with pytest.raises(StoreError) as caught:
            database.prepare()
    for text in (database.display_url, str(caught.value)):
        assert "ses" not in text


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "",
        "mysterysql://host/name",
        "postgresql+nodriver://host/name",
        "postgresql://anna:sesame@host:port/name",
    ],
)
def test_a_url_that_cannot_be_used_is_said_without_its_password(url: str) -> None:
    with pytest.raises(StoreError, match=r"^\[store\] url cannot be used: .*; ") as caught:
        Database(url)
    shown: BaseException | None = caught.value
    while shown is not None:
        assert "ses" not in str(shown)
        shown = shown.__cause__


def test_a_postgres_that_is_away_is_said_with_the_mend() -> None:
    with contextlib.closing(Database("postgresql://anna@127.0.0.1:1/store")) as database:
        for use in (database.prepare, database.read_version, database.write().__enter__):
            with pytest.raises(StoreError, match=r"1:1/store.*refused; check that .*the server runs"):
                use()
        with pytest.raises(StoreError, match="the server runs"):
            database.hold_daemon_lock().__enter__()


def test_a_postgres_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://anna@127.0.0.1:{silent.getsockname()[1]}/store"
        with (
            contextlib.closing(Database(f"{url}?connect_timeout=2")) as database,
            pytest.raises(StoreError, match="timeout"),
        ):
            database.prepare()


def test_a_database_that_is_not_there_is_said(postgres_server: str) -> None:
    with (
        contextlib.closing(Database(f"{postgres_server.rpartition('/')[0]}/no_such_store")) as database,
        pytest.raises(StoreError, match='"no_such_store" does not exist; check that'),
    ):
        database.prepare()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, which the tests' own is not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


@pytest.mark.parametrize(
    ("path", "use"), [("store.db", "prepare"), ("new/store.db", "prepare"), ("store.db", "hold_daemon_lock")]
)
def test_a_folder_that_cannot_be_written_is_said_with_the_mend(
    open_folder: Path, program: Program, path: str, use: str
) -> None:
    open_folder.chmod(0o555)
    process = program(PREPARE_AS_NOBODY, f"sqlite:///{open_folder / path}", use)
    out, err = process.communicate(timeout=60)
    assert err == ""
    assert str(open_folder) in out
    assert out.endswith("check that [store] url is right and that its file and folder can be written\n")
    assert out.count("\n") == 1


def test_a_file_that_is_no_database_is_said_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    for path in ("notes.txt", ".", "notes.txt/store.db"):
        with pytest.raises(StoreError, match="check that"):
            Database(f"sqlite:///{tmp_path / path}").prepare()
    assert (tmp_path / "notes.txt").read_text() == "not a database " * 100


def test_a_missing_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    with contextlib.closing(Database(f"sqlite:///{tmp_path / 'a' / 'b' / 'store.db'}")) as database:
        database.prepare()
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_an_error_of_the_database_is_one_line(database: Database) -> None:
    with pytest.raises(StoreError) as caught, database.write() as conn:
        conn.execute(sa.text("SELECT * FROM no_such_table"))
    assert "no_such_table" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreError) as caught, database.write() as conn:
        conn.execute(event.insert(), [{"event_id": "a", "triaged_at": TIME, "event": {}}] * 2)
    assert "\n" not in str(caught.value)
    assert stored(database) == []


def test_what_fails_is_rolled_back(database: Database) -> None:
    put(database, "before")
    with pytest.raises(ZeroDivisionError), database.write() as conn:  # noqa: PT012
        inbox.insert_payloads(conn, inbox.pack_events([Event(id="lost", time=TIME)]), TIME)
        raise ZeroDivisionError
    put(database, "after")
    assert stored(database) == ["before", "after"]


def test_an_exclusive_writer_sees_what_the_one_before_it_wrote(database: Database, store_url: str) -> None:
    with contextlib.closing(Database(store_url)) as other:

        def add(each: Database) -> None:
            for _ in range(20):
                with each.write() as conn:
                    count = conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                    inbox.insert_payloads(conn, inbox.pack_events([Event(id=f"n{count}", time=TIME)]), TIME)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add, [database, other] * 2))
    assert stored(database) == [f"n{number}" for number in range(80)]


def test_a_reader_waits_for_no_writer_and_sees_only_what_is_committed(database: Database) -> None:
    with database.write() as conn:
        inbox.insert_payloads(conn, inbox.pack_events([Event(id="a", time=TIME)]), TIME)
        assert stored(database) == []
    assert stored(database) == ["a"]


def test_what_was_committed_outlives_a_kill(database: Database, store_url: str, program: Program) -> None:
    writer = program(WRITE, store_url)
    acknowledged = [int(line(writer)) for _ in range(25)]
    os.kill(writer.pid, signal.SIGKILL)
    rest, error = writer.communicate(timeout=30)
    acknowledged += [int(each) for each in rest.splitlines(keepends=True) if each.endswith("\n")]
    assert error == ""
    assert writer.returncode == -signal.SIGKILL
    names = stored(database)
    # One more may have been committed and not yet said; each transaction is there whole or not at all.
    assert len(names) in {2 * len(acknowledged), 2 * len(acknowledged) + 2}
    assert names == [f"{number} {half}" for number in range(len(names) // 2) for half in "ab"]
    put(database, "afterwards")
    assert stored(database)[-1] == "afterwards"


def test_what_was_not_committed_is_gone_after_a_kill(
    database: Database, store_url: str, program: Program
) -> None:
    writer = program(OPEN_TRANSACTION, store_url)
    assert line(writer) == "written"
    writer.kill()
    writer.wait()
    put(database, "afterwards")
    assert stored(database) == ["afterwards"]
    database.prepare()


def _asked(turns: FairLock, number: int) -> bool:
    return len(turns._waiters) == number


def test_writers_take_turns_in_the_order_in_which_they_came() -> None:
    turns = FairLock()
    order: list[str] = []

    def write(name: str) -> None:
        with turns:
            order.append(name)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    with turns:
        for number, thread in enumerate(threads, 1):
            thread.start()
            wait_until(partial(_asked, turns, number), "it to ask")
        assert order == []
    write("who had it and asks again at once")
    for thread in threads:
        thread.join(5)
    assert order == ["a", "b", "c", "who had it and asks again at once"]


def test_who_only_reads_cannot_write_and_who_writes_next_can(database: Database, now: datetime) -> None:
    with database.write() as conn:
        dependencies.record(conn, [("shop", "redis")], now)
    with pytest.raises(StoreError), database.read() as conn:
        dependencies.prune(conn, now + timedelta(days=1))
    with database.read() as conn:
        assert dependencies.list_since(conn, now) == [("shop", "redis")]
        assert dependencies.list_since(conn, now + timedelta(days=1)) == []
    with database.write() as conn:
        dependencies.prune(conn, now + timedelta(days=1))
        assert dependencies.list_since(conn, now) == []


def end_claim(database: Database) -> None:
    """Make the store another daemon's, which has ended since."""
    with database.write() as conn:
        conn.execute(sa.text("UPDATE store_claim SET fence = fence + 1, expires_at = now() - interval '1 s'"))


def lose_lock(database: Database) -> None:
    if database.is_sqlite:
        Path(f"{database.engine.url.database}.lock").unlink()
    else:
        end_claim(database)


def test_a_lost_lock_is_taken_again(database: Database, store_url: str) -> None:
    with contextlib.closing(Database(store_url)) as second, database.hold_daemon_lock() as confirm:
        assert confirm() is False
        lose_lock(database)
        assert confirm() is True
        assert confirm() is False
        with pytest.raises(StoreError, match="another firstcause daemon runs"):
            second.hold_daemon_lock().__enter__()


def test_a_lost_lock_that_another_daemon_has_taken_is_refused_until_that_one_ends(
    database: Database, store_url: str
) -> None:
    with contextlib.closing(Database(store_url)) as second, database.hold_daemon_lock() as confirm:
        lose_lock(database)
        with second.hold_daemon_lock():
            for _ in range(2):
                with pytest.raises(StoreError, match="another firstcause daemon runs"):
                    confirm()

        def take_again() -> bool:
            with contextlib.suppress(StoreError):
                return confirm()
            return False

        wait_until(take_again, "the lock")


def test_sqlites_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        path = tmp_path / "x.db"
        with contextlib.closing(Database(f"sqlite:///{path}")) as database, database.hold_daemon_lock():
            database.prepare()
            database.inbox.store(inbox.pack_events([Event(id="a", time=TIME)]), TIME)
            database.check_writable()
            assert isinstance(database.inbox, JournalInbox)
            database.inbox.copy(tmp_path / "copy")
            files = [each for each in tmp_path.rglob("*") if each.is_file()]
            assert {each.name for each in files} >= {"x.db", "x.db-wal", "x.db-shm", "x.db.lock"}
            assert len(files) == 6
            assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
        path.chmod(0o644)
        with contextlib.closing(Database(f"sqlite:///{path}")) as again:
            put(again, "b")
            files = [each for each in tmp_path.glob("x.db*") if each.is_file()]
            assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    finally:
        os.umask(mask)


def test_a_disk_that_the_write_ahead_log_filled_recovers_without_more_room(tmp_path: Path) -> None:
    """The limit of a file's size stands for the disk: the log cannot grow, as on a disk without room."""
    path = tmp_path / "x.db"
    with contextlib.closing(Database(f"sqlite:///{path}")) as database:
        database.prepare()
        for number in range(50):
            put(database, f"first {number}")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{path}-wal").stat().st_size, hard))
        try:
            with pytest.raises(StoreUnavailableError):
                put(database, "refused")
            assert database.write_failures.current is not None
            database.check_writable()
            assert database.write_failures.current is None
            put(database, "accepted")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert stored(database) == [*(f"first {number}" for number in range(50)), "accepted"]


def test_a_claim_behind_a_pooler_ends_with_its_daemon(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("no server")
    url = database.engine.url
    port = url.port or 5432
    with run_server(lambda folder: PgBouncer(folder, port)) as pooler:
        through = url.set(host="127.0.0.1", port=pooler.port).render_as_string(hide_password=False)
        with (
            contextlib.closing(Database(through)) as first,
            contextlib.closing(Database(through)) as second,
        ):
            with first.hold_daemon_lock() as confirm:
                for number in range(8):
                    # More often than a driver waits before it prepares a statement in a session.
                    put(first, f"{number}")
                    assert confirm() is False
                with pytest.raises(StoreError, match="another firstcause daemon runs"):
                    second.hold_daemon_lock().__enter__()
            with second.hold_daemon_lock():
                put(second, "after")
        assert len(stored(database)) == 9
