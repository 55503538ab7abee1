"""The MongoDB probe: against nx-27017 for what that does faithfully, and scripted answers for the rest."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

import firstcause_data
import firstcause_mongodb
from firstcause import MALFORMED_URL, Probe, Reading, Status
from support.database_servers import free_port
from support.mongodb_wire import ScriptedMongo, error_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STATUS = {
    "ok": 1.0,
    "version": "7.0.5",
    "connections": {"current": 20, "available": 80},
    "mem": {"resident": 512},
}
NO_SET = error_reply(76, "NoReplicationEnabled", "not running with --replSet")
QUIET = {"serverStatus": STATUS, "replSetGetStatus": NO_SET, "currentOp": {"ok": 1.0, "inprog": []}}

_probes: list[Probe] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _probes:
        close = _probes.pop().close
        assert close is not None
        close()


def probe(url: str, **settings: object) -> Probe:
    table = {"servers": {"mongodb": {"url": url, "timeout": 1.0} | settings}}
    (made,) = firstcause_mongodb.firstcause_probes(firstcause_mongodb.Config.model_validate(table))
    _probes.append(made)
    return made


def look(**answers: dict[str, Any]) -> Reading:
    with ScriptedMongo(QUIET | answers) as server:
        reading = probe(server.url).check()
        _closed_all()
        return reading


def _closed_all() -> None:
    for each in _probes:
        assert each.close is not None
        each.close()


def codes(reading: Reading) -> set[str | None]:
    return {reading.code, *(each.code for each in reading.problems)} - {None}


def members(*states: tuple[str, float]) -> dict[str, Any]:
    return {
        "ok": 1.0,
        "members": [
            {
                "name": f"m{number}",
                "stateStr": state,
                "health": 1,
                "optimeDate": NOW - timedelta(seconds=behind),
            }
            for number, (state, behind) in enumerate(states)
        ],
    }


def test_a_server_that_is_well() -> None:
    reading = look()
    assert (reading.status, reading.code, reading.detail) == (Status.UP, None, "ping answered")
    assert reading.data == {
        "connections_used": 20, "connections_share": 0.2, "version": "7.0.5", "resident_mib": 512,
        "slow_operations": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error_reply(18, "AuthenticationFailed", "Authentication failed."), "MONGODB_AUTH_FAILED"),
        (error_reply(13, "Unauthorized", "command ping requires authentication"), "MONGODB_UNAUTHORIZED"),
        (error_reply(50, "MaxTimeMSExpired", "operation exceeded time limit"), "DB_QUERY_SLOW"),
        (error_reply(10107, "NotWritablePrimary", "not primary"), "MONGODB_NOT_PRIMARY"),
        (error_reply(9999, "SomethingNew", "what is this"), "DB_CONNECTION_ERROR"),
    ],
)
def test_what_the_server_refuses_has_its_own_error(answer: dict[str, Any], code: str) -> None:
    reading = look(ping=answer)
    assert (reading.status, reading.code) == (Status.DOWN, code)
    assert answer["errmsg"] in reading.detail


def test_connections_slow_operations_and_a_replica_set() -> None:
    full = look(serverStatus=STATUS | {"connections": {"current": 95, "available": 5}})
    assert (full.status, full.data["connections_share"]) == (Status.DEGRADED, 0.95)
    busy = look(
        currentOp={"ok": 1.0, "inprog": [{"ns": "app.calls"}, {"ns": ""}, {"desc": "a thread of its own"}]}
    )
    assert (codes(busy), busy.data["slow_operations"]) == ({"DB_QUERY_SLOW"}, 1)
    well = look(replSetGetStatus=members(("PRIMARY", 0), ("SECONDARY", 2), ("ARBITER", 0)))
    assert (well.status, well.data["replication_lag_s"], well.data["member_count"]) == (Status.UP, 2, 3)
    behind = look(replSetGetStatus=members(("PRIMARY", 0), ("SECONDARY", 120)))
    assert codes(behind) == {"MONGODB_REPLICATION_LAG"}
    headless = look(replSetGetStatus=members(("SECONDARY", 0), ("(not reachable/healthy)", 0)))
    assert (headless.status, headless.code) == (Status.DOWN, "MONGODB_NOT_PRIMARY")
    assert "MONGODB_REPLICATION_LAG" in codes(headless)


@pytest.mark.parametrize("key", ["secondaryDelaySecs", "slaveDelay"])
def test_a_secondary_that_is_behind_on_purpose_has_no_lag_of_that(key: str) -> None:
    delayed = {"host": "m1", key: 3600}
    config = {"ok": 1.0, "config": {"members": [{"host": "m0"}, delayed, {"host": "m2"}]}}
    for behind, lag, status in ((3602, 5, Status.UP), (3580, 5, Status.UP), (3640, 40, Status.DEGRADED)):
        found = members(("PRIMARY", 0), ("SECONDARY", behind), ("SECONDARY", 5))
        reading = look(replSetGetStatus=found, replSetGetConfig=config)
        assert (reading.status, reading.data["replication_lag_s"]) == (status, lag)


def test_the_delay_can_be_configured_where_the_account_may_not_read_it() -> None:
    forbidden = error_reply(13, "Unauthorized", "not authorized on admin")
    found = members(("PRIMARY", 0), ("SECONDARY", 3602))
    with ScriptedMongo(QUIET | {"replSetGetStatus": found, "replSetGetConfig": forbidden}) as server:
        assert probe(server.url, delayed_members={"m1": 3600}).check().data["replication_lag_s"] == 2
        assert codes(probe(server.url).check()) == {"MONGODB_REPLICATION_LAG"}
        _closed_all()


def test_a_url_that_cannot_be_read_shows_nothing_of_itself() -> None:
    for url in ("mongodb://app:Sup3r", "mongodb://app:Sup3r:Tail"):
        reading = probe(url, timeout=0.3).check()
        assert (reading.status, reading.detail) == (Status.DOWN, MALFORMED_URL)


def test_what_an_account_may_not_ask_is_left_out() -> None:
    forbidden = error_reply(13, "Unauthorized", "not authorized on admin")
    reading = look(serverStatus=forbidden, replSetGetStatus=forbidden, currentOp=forbidden)
    assert (reading.status, reading.data) == (Status.UP, {})


def test_nobody_there() -> None:
    away = probe(f"mongodb://app:open-sesame@127.0.0.1:{free_port()}/app", timeout=0.3).check()
    assert (away.status, away.code) == (Status.DOWN, "DB_CONNECTION_ERROR")
    assert "open-sesame" not in away.model_dump_json()
    assert firstcause_mongodb.firstcause_probes(firstcause_mongodb.Config()) == []


@pytest.fixture
def nx(tmp_path: Path) -> Iterator[Callable[[], tuple[str, subprocess.Popen[bytes]]]]:
    """Starts nx-27017 on a port of its own."""
    pytest.importorskip("nx_27017", reason="nx-27017 is not installed")
    port = free_port()
    started: list[subprocess.Popen[bytes]] = []

    def start() -> tuple[str, subprocess.Popen[bytes]]:
        place = ("--host", "127.0.0.1", "--port", str(port), "--db", "app.db", "--log-file", "nx.log")
        command = (str(Path(sys.executable).with_name("nx-27017")), *place)
        with (tmp_path / "out.log").open("ab") as out:
            started.append(subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=out))
        url = f"mongodb://127.0.0.1:{port}/app?directConnection=true"
        deadline = time.monotonic() + 30
        while True:
            with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=300) as client:
                try:
                    client.admin.command("ping")
                except Exception:
                    assert time.monotonic() < deadline, "nx-27017 does not answer"
                    assert started[-1].poll() is None, "nx-27017 ended"
                else:
                    return url, started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()


def test_up_down_and_up_again_and_counts_over_the_wire(
    nx: Callable[[], tuple[str, subprocess.Popen[bytes]]],
) -> None:
    url, server = nx()
    watched = probe(url)
    assert watched.check().status is Status.UP
    table = {"counts": {"companies": {"url": url, "collection": "companies", "filter": {"status": "LIVE"}}}}
    (counting,) = firstcause_data.firstcause_probes(firstcause_data.Config.model_validate(table))
    empty = counting.check()
    assert (empty.status, empty.code) == (Status.DOWN, "COMPANY_DATABASE_EMPTY")
    with MongoClient[dict[str, Any]](url) as client:
        client["app"]["companies"].insert_many([{"status": "LIVE"}, {"status": "LIVE"}, {"status": "CLOSED"}])
    assert counting.check().data == {"count": 2}
    server.kill()
    server.wait()
    gone = watched.check()
    assert (gone.status, gone.code) == (Status.DOWN, "DB_CONNECTION_ERROR")
    nx()
    assert watched.check().status is Status.UP
