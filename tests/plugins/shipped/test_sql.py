"""The SQL probe against Postgres and MariaDB servers of its own, and SQLite files."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
from pydantic import ValidationError

import firstcause_sql
from firstcause import MALFORMED_URL, Probe, Reading, Status
from firstcause.health.probe_runner import ProbeRunner
from support.database_servers import MariaServer, PostgresServer, PostgresStandby, run_server
from support.firstcause_process import wait_until
from support.pgbouncer_server import PgBouncer
from support.swallowing_address import resolve_to_swallowing_first

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_probes: list[Probe] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """A probe keeps its connection for as long as the program runs."""
    yield
    while _probes:
        close = _probes.pop().close
        assert close is not None
        close()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with run_server(PostgresServer) as made:
        yield made


@pytest.fixture(scope="module")
def maria() -> Iterator[MariaServer]:
    with run_server(MariaServer) as made:
        yield made


def probe(url: str, **settings: object) -> Probe:
    table = {"databases": {"main": {"url": url, "timeout": 2.0} | settings}}
    (made,) = firstcause_sql.firstcause_probes(firstcause_sql.Config.model_validate(table))
    _probes.append(made)
    return made


def codes(reading: Reading) -> set[str | None]:
    return {reading.code, *(each.code for each in reading.problems)} - {None}


def test_postgres_up_down_and_up_again(postgres: PostgresServer) -> None:
    watched = probe(postgres.url)
    assert (watched.name, watched.component, watched.code) == ("main", "postgres", "POSTGRES_UNREACHABLE")
    first = watched.check()
    assert first.status is Status.UP, first
    assert {
        "connections_used",
        "connections_share",
        "long_queries",
        "database_bytes",
        "version",
    } <= first.data.keys()
    for _ in range(3):
        watched.check()
    with psycopg.connect(postgres.url) as conn:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'firstcause'"
        assert conn.execute(asked).fetchone() == (1,)
    postgres.down()
    gone = watched.check()
    assert (gone.status, gone.code) == (Status.DOWN, "POSTGRES_UNREACHABLE")
    postgres.up()
    assert watched.check().status is Status.UP


def test_postgres_that_lets_nobody_in_is_down_within_its_time(postgres: PostgresServer) -> None:
    watched = probe(postgres.url, timeout=1.0)
    postgres.freeze()
    try:
        began = time.monotonic()
        frozen = watched.check()
        assert (frozen.status, frozen.code) == (Status.DOWN, "POSTGRES_UNREACHABLE")
        assert time.monotonic() - began < watched.timeout + 1
    finally:
        postgres.thaw()
    assert watched.check().status is Status.UP


def test_postgres_runs_out_of_connections(postgres: PostgresServer) -> None:
    watched = probe(postgres.url, connections_share=0.5)
    assert watched.check().status is Status.UP
    held = [psycopg.connect(postgres.url) for _ in range(6)]
    try:
        filling = watched.check()
        assert (filling.status, codes(filling)) == (Status.DEGRADED, {"POSTGRES_TOO_MANY_CONNECTIONS"})
        with psycopg.connect(postgres.url, autocommit=True) as conn:
            conn.execute("CREATE ROLE app LOGIN")
        held += [psycopg.connect(postgres.url) for _ in range(2)]
        full = probe(postgres.url.replace("postgres@", "app@")).check()
        assert (full.status, full.code) == (Status.DOWN, "POSTGRES_TOO_MANY_CONNECTIONS")
    finally:
        for each in held:
            each.close()


def _run_until_canceled(conn: psycopg.Connection[Any]) -> None:
    with contextlib.suppress(psycopg.errors.QueryCanceled):
        conn.execute("SELECT pg_sleep(600)")


def _check_degraded(watched: Probe) -> Reading | None:
    reading = watched.check()
    return reading if reading.status is Status.DEGRADED else None


def test_a_long_query_and_a_server_that_takes_no_writes(postgres: PostgresServer) -> None:
    watched = probe(postgres.url, long_query_s=0.2, timeout=30.0)
    with psycopg.connect(postgres.url, autocommit=True) as conn:
        with psycopg.connect(postgres.url, autocommit=True) as other:
            sleeping = threading.Thread(target=_run_until_canceled, args=(other,))
            sleeping.start()
            long = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND now() - query_start > '0.4 s'"
            wait_until(lambda: conn.execute(long, [other.info.backend_pid]).fetchone(), "a long query")
            assert codes(watched.check()) == {"POSTGRES_SLOW"}
            conn.execute("SELECT pg_cancel_backend(%s)", [other.info.backend_pid])
            sleeping.join()
        assert watched.check().status is Status.UP
        conn.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        conn.execute("SELECT pg_reload_conf()")
        try:
            reading = wait_until(lambda: _check_degraded(watched), "the reloaded setting")
            assert reading.code == "POSTGRES_READ_ONLY"
        finally:
            conn.execute("SET default_transaction_read_only = off")
            conn.execute("ALTER SYSTEM RESET default_transaction_read_only")
            conn.execute("SELECT pg_reload_conf()")


def test_a_standby_of_an_idle_primary_has_no_lag_and_one_that_stands_still_has() -> None:
    with (
        run_server(PostgresServer) as primary,
        run_server(lambda folder: PostgresStandby(folder, primary)) as standby,
        psycopg.connect(primary.url, autocommit=True) as main,
        psycopg.connect(standby.url, autocommit=True) as copy,
    ):

        def ask(query: str) -> Any:
            return copy.execute(query).fetchone()[0]  # type: ignore[index]

        main.execute("CREATE TABLE written (at timestamptz)")
        since_last = "SELECT clock_timestamp() - pg_last_xact_replay_timestamp() > interval '1 second'"
        assert wait_until(lambda: ask(since_last), "the primary is idle")
        watched = probe(standby.url, replication_lag_s=0.5)
        idle = watched.check()
        assert (idle.status, idle.data["replication_lag_s"]) == (Status.UP, 0)

        copy.execute("SELECT pg_wal_replay_pause()")
        main.execute("INSERT INTO written VALUES (now())")
        apart = "SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()"
        assert wait_until(lambda: ask(apart), "the standby received something")
        assert codes(watched.check()) == {"POSTGRES_REPLICATION_LAG"}

        copy.execute("SELECT pg_wal_replay_resume()")
        assert wait_until(lambda: not ask(apart), "the standby replayed it")
        primary.down()
        assert wait_until(
            lambda: ask("SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)"), "the receiver ended"
        )
        assert wait_until(lambda: ask(since_last), "the primary is idle")
        assert codes(watched.check()) == {"POSTGRES_REPLICATION_LAG"}


@pytest.mark.parametrize("host", ["role-db.invalid", "no-role-does-not-exist.invalid"])
@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_host_whose_name_sounds_like_a_refusal_is_unreachable(scheme: str, host: str) -> None:
    reading = probe(f"{scheme}://app:x@{host}/role").check()
    assert (reading.status, reading.code) == (
        Status.DOWN, "POSTGRES_UNREACHABLE" if scheme == "postgresql" else "MARIADB_UNREACHABLE",
    )  # fmt: skip
    assert host in reading.detail


@pytest.mark.parametrize("password", ["Sup3r@Tail", "Sup3r/Tail", "Sup3r#Tail", "Sup3r?Tail", "50%:Tail"])
def test_a_password_works_as_it_is_written_and_is_never_shown(maria: MariaServer, password: str) -> None:
    with pymysql.connect(host="127.0.0.1", port=maria.port, user="root") as conn:
        conn.cursor().execute("CREATE OR REPLACE USER app@'%%' IDENTIFIED BY %s", (password,))
    url = f"mysql://app:{password}@127.0.0.1:{maria.port}/"
    assert probe(url).check().status is Status.UP
    for wrong in (url.replace("Tail", "Tail2"), url.replace(str(maria.port), "9")):
        reading = probe(wrong).check()
        assert reading.status is Status.DOWN
        assert "Tail" not in reading.model_dump_json()


@pytest.mark.parametrize("kind", ["postgres", "maria"])
def test_an_address_that_swallows_does_not_hold_up_the_one_that_works(
    kind: str, postgres: PostgresServer, maria: MariaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = {"postgres": postgres, "maria": maria}[kind]
    with resolve_to_swallowing_first("db.example", server.port, monkeypatch):
        began = time.monotonic()
        watched = probe(server.url.replace("127.0.0.1", "db.example"), timeout=20)
        assert watched.check().status is Status.UP
        assert time.monotonic() - began < 15
        silent = probe(server.url.replace("127.0.0.1", "127.0.0.2"), timeout=0.5).check()
        assert (silent.status, silent.detail) == (Status.DOWN, "no address of 127.0.0.2 answers within 0.5 s")


@pytest.mark.parametrize("url", ["postgresql://app:Sup3r", "mysql://app:Sup3r", "postgresql:app:Sup3r"])
def test_a_url_that_cannot_be_read_shows_nothing_of_itself(url: str) -> None:
    reading = probe(url).check()
    assert (reading.status, reading.detail) == (Status.DOWN, MALFORMED_URL)


def test_a_connection_that_is_stuck_is_given_up_and_another_one_is_made(postgres: PostgresServer) -> None:
    runner, watched = ProbeRunner(), probe(postgres.url, timeout=0.3)
    assert runner.read([watched])["main"].status is Status.UP
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'firstcause'"
        ((backend,),) = admin.execute(query).fetchall()
        os.kill(backend, signal.SIGSTOP)
        try:
            assert runner.read([watched])["main"].detail.startswith("no answer within")
            assert runner.read([watched])["main"].status is Status.UP
        finally:
            os.kill(backend, signal.SIGCONT)


def test_a_role_that_is_not_there(postgres: PostgresServer) -> None:
    refused = probe(postgres.url.replace("postgres@", "nobody:open-sesame@")).check()
    assert (refused.status, refused.code) == (Status.DOWN, "POSTGRES_AUTH_FAILED")
    assert "open-sesame" not in refused.model_dump_json()


def test_mariadb_up_down_and_up_again(maria: MariaServer) -> None:
    watched = probe(maria.url)
    assert (watched.component, watched.code) == ("mariadb", "MARIADB_UNREACHABLE")
    first = watched.check()
    assert first.status is Status.UP, first
    assert {"connections_used", "connections_share", "long_queries", "version"} <= first.data.keys()
    maria.down()
    gone = watched.check()
    assert (gone.status, gone.code) == (Status.DOWN, "MARIADB_UNREACHABLE")
    maria.up()
    assert watched.check().status is Status.UP


def test_mariadb_is_full_slow_or_refuses_us(maria: MariaServer) -> None:
    watched = probe(maria.url, connections_share=0.5, long_query_s=0.5)
    assert watched.check().status is Status.UP
    held = [pymysql.connect(host="127.0.0.1", port=maria.port, user="root") for _ in range(7)]
    try:
        assert codes(watched.check()) == {"MARIADB_TOO_MANY_CONNECTIONS"}
        asking = threading.Thread(target=lambda: held[0].cursor().execute("SELECT sleep(4)"))
        asking.start()
        time.sleep(2.2)
        assert "MARIADB_SLOW" in codes(watched.check())
        asking.join()
    finally:
        for each in held:
            each.close()
    refused = probe(maria.url.replace("root@", "root:open-sesame@")).check()
    assert (refused.status, refused.code) == (Status.DOWN, "MARIADB_AUTH_FAILED")
    assert "open-sesame" not in refused.model_dump_json()


def test_sqlite_files(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE company (id INTEGER)")
    conn.close()
    watched = probe(f"sqlite:///{path}", timeout=0.2)
    assert watched.component == "sqlite"
    assert watched.check().status is Status.UP
    path.write_bytes(b"this is no database, but long enough to look like one " * 100)
    broken = probe(f"sqlite:///{path}").check()
    assert (broken.status, broken.code) == (Status.DOWN, "SQLITE_UNREADABLE")
    away = probe(f"sqlite:///{tmp_path / 'no' / 'folder.db'}").check()
    assert (away.status, away.code) == (Status.DOWN, "SQLITE_UNREADABLE")


def test_a_writer_that_holds_an_sqlite_file(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("CREATE TABLE company (id INTEGER)")
    writer.execute("BEGIN EXCLUSIVE")
    locked = probe(f"sqlite:///{path}", timeout=0.2).check()
    writer.close()
    assert (locked.status, locked.code) == (Status.DOWN, "SQLITE_LOCKED")


@pytest.mark.parametrize("url", ["oracle://x", "nothing", ""])
def test_a_database_of_an_unknown_kind_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="is not a known kind of database"):
        probe(url)


def test_a_database_behind_a_pooler_is_up_until_the_pooler_is_full(postgres: PostgresServer) -> None:
    with run_server(lambda folder: PgBouncer(folder, postgres.port, max_clients=2)) as pooler:
        watched = probe(pooler.url)
        for _ in range(6):
            assert watched.check().status is Status.UP
        assert watched.close is not None
        watched.close()
        with psycopg.connect(pooler.url), psycopg.connect(pooler.url):
            full = watched.check()
        assert (full.status, full.code) == (Status.DOWN, "POSTGRES_TOO_MANY_CONNECTIONS")


def test_a_restart_between_two_looks_is_told_and_nothing_is_down(postgres: PostgresServer) -> None:
    watched = probe(postgres.url)
    assert watched.check().status is Status.UP
    postgres.down()
    postgres.up()
    reading = watched.check()
    assert (reading.status, codes(reading)) == (Status.DEGRADED, {"POSTGRES_RESTARTED"})
    assert watched.check().status is Status.UP
    with psycopg.connect(postgres.url, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'firstcause'"
        )
    assert watched.check().status is Status.UP, "a session that ended is no restart"
