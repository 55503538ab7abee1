"""A real Redis, Postgres and MariaDB, brought down and up: what is seen, who is told, and that it ends."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest

import firstcause_redis
import firstcause_sql
from support.database_servers import MariaServer, PostgresServer, RedisServer, Server, run_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage

REGRESSION = "SYSTEM_REGRESSION_DETECTED"


def watch_redis(stage: Stage, server: Server) -> None:
    table = {"servers": {"cache": {"url": server.url, "clients_share": 0.3, "timeout": 1}}}
    stage.app.plugins.register(firstcause_redis, "redis", table)


def watch_sql(stage: Stage, server: Server) -> None:
    table = {"databases": {"main": {"url": server.url, "connections_share": 0.5, "timeout": 1}}}
    stage.app.plugins.register(firstcause_sql, "sql", table)


def crowd_redis(server: Any, held: ExitStack) -> None:
    clients = [held.enter_context(closing(server.client())) for _ in range(5)]
    clients[0].config_set("maxclients", 10)
    for client in clients:
        client.ping()


def crowd_postgres(server: Any, held: ExitStack) -> None:
    for _ in range(6):
        held.enter_context(closing(psycopg.connect(server.url)))


def crowd_mariadb(server: Any, held: ExitStack) -> None:
    for _ in range(7):
        held.enter_context(closing(pymysql.connect(host="127.0.0.1", port=server.port, user="root")))


SERVERS = {
    "redis": (RedisServer, watch_redis, crowd_redis, "REDIS_MAX_CLIENTS", "REDIS_CONNECTION_ERROR"),
    "postgres": (
        PostgresServer,
        watch_sql,
        crowd_postgres,
        "POSTGRES_TOO_MANY_CONNECTIONS",
        "POSTGRES_UNREACHABLE",
    ),
    "mariadb": (MariaServer, watch_sql, crowd_mariadb, "MARIADB_TOO_MANY_CONNECTIONS", "MARIADB_UNREACHABLE"),
}


@pytest.mark.parametrize(("make", "watch", "crowd", "root", "code"), SERVERS.values(), ids=SERVERS)
def test_up_degraded_down_and_up_again(
    stage: Stage,
    make: type[Server],
    watch: Callable[[Stage, Server], None],
    crowd: Callable[[Server, ExitStack], None],
    root: str,
    code: str,
) -> None:
    stage.components = {}
    with run_server(make) as server:
        watch(stage, server)
        (name,) = stage.app.health.probes

        def look(at: float) -> dict[str, Any]:
            return stage.app.health.check(stage.time(at))

        assert look(0)["status"] == "UP"
        assert look(10)["last_known_good"] == "1"
        with ExitStack() as held:
            crowd(server, held)
            degraded = look(20)
        assert (degraded["status"], degraded["comparison"]["is_regression"]) == ("DEGRADED", True)
        server.down()
        down = look(30)
        assert (down["status"], down["infrastructure"][name]["code"]) == ("DOWN", code)
        (regression,) = [one for one in down["comparison"]["regressions"] if one["name"] == name]
        assert (regression["before"], regression["after"], regression["severity"]) == (
            "UP",
            "DOWN",
            "CRITICAL",
        )
        for at in (40, 50, 60, 70, 80):
            look(at)
            stage.deliver(at)
        (incident,) = stage.incidents("open")
        whole = stage.app.incidents.get_incident(incident["id"])
        # It had no connection left before it was gone, and nobody could see that this ended.
        assert (whole["root"]["code"], whole["priority"]) == (root, "P0")
        assert {each["code"] for each in whole["alerts"] if each["role"] == "cascade"} == {code, REGRESSION}
        assert stage.phones[0].summaries == [f"first {root}"]
        server.up()
        back = look(90)
        assert (back["status"], back["comparison"]["is_regression"]) == ("UP", False)
        stage.deliver(130)
        assert stage.incidents("open") == []
        assert stage.phones[0].summaries == [f"first {root}", f"resolved {root}"]
        assert look(140)["last_known_good"] == back["snapshot_id"]
