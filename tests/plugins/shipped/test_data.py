"""Counts in SQLite, Postgres and MongoDB's protocol."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa
from pydantic import ValidationError

import firstcause_data
from firstcause import MALFORMED_URL, Probe, Status
from support.database_servers import free_port
from support.postgres_databases import create_postgres_database
from support.swallowing_address import SWALLOWING_ADDRESS, swallow_connections

if TYPE_CHECKING:
    from pathlib import Path


def probe(**count: object) -> Probe:
    config = firstcause_data.Config.model_validate({"counts": {"companies": {"timeout": 2.0} | count}})
    (made,) = firstcause_data.firstcause_probes(config)
    return made


def test_none_left_is_an_error_and_some_are_a_number(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("CREATE TABLE company (status TEXT)")
    watched = probe(url=f"sqlite:///{path}", query="SELECT count(*) FROM company WHERE status = 'LIVE'")
    assert (watched.name, watched.component) == ("companies", "companies")
    empty = watched.check()
    assert (empty.status, empty.code, empty.data) == (Status.DOWN, "COMPANY_DATABASE_EMPTY", {"count": 0})
    assert empty.detail == "0 companies, but there must be at least 1"
    conn.execute("INSERT INTO company VALUES ('LIVE'), ('LIVE'), ('CLOSED')")
    some = watched.check()
    assert (some.status, some.detail, some.data) == (Status.UP, "2 companies", {"count": 2})
    conn.close()


def test_connecting_is_not_the_querys_latency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sa.create_engine

    def slowly(*args: Any, **settings: Any) -> sa.Engine:
        time.sleep(0.6)
        return made(*args, **settings)

    monkeypatch.setattr(sa, "create_engine", slowly)
    latency = probe(url=f"sqlite:///{tmp_path / 'app.db'}", query="SELECT 7").check().latency_ms
    assert latency is not None
    assert latency < 500


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_swallows_is_given_up_in_time(scheme: str) -> None:
    port = free_port()
    with swallow_connections(port):
        began = time.monotonic()
        reading = probe(url=f"{scheme}://app:x@{SWALLOWING_ADDRESS}:{port}/app", query="SELECT 1").check()
        assert time.monotonic() - began < 15
    assert (reading.status, reading.code) == (Status.DEGRADED, None)


@pytest.mark.parametrize("url", ["postgresql://app:Sup3r", "mongodb://app:Sup3r"])
def test_a_url_that_cannot_be_read_shows_nothing_of_itself(url: str) -> None:
    reading = probe(url=url, query="SELECT 1", collection="x").check()
    assert reading.detail == f"cannot be counted: ValueError: {MALFORMED_URL}"


@pytest.mark.postgres
def test_on_postgres_with_a_code_of_its_own(postgres_server: str) -> None:
    with create_postgres_database(postgres_server) as url:
        with psycopg.connect(url) as conn:
            conn.execute("CREATE TABLE template (id int)")
        few = probe(url=url, query="SELECT count(*) FROM template", minimum=3, code="TEMPLATES_LOST").check()
        assert (few.status, few.code) == (Status.DOWN, "TEMPLATES_LOST")


def test_where_nothing_can_be_counted_nothing_is_said_of_the_count(tmp_path: Path) -> None:
    for url, query in (
        ("postgresql://app:open-sesame@127.0.0.1:9/x", "SELECT 1"),
        (f"sqlite:///{tmp_path / 'app.db'}", "SELECT count(*) FROM nothing"),
        (f"sqlite:///{tmp_path / 'app.db'}", "SELECT 'many'"),
    ):
        reading = probe(url=url, query=query).check()
        assert (reading.status, reading.code, reading.data) == (Status.DEGRADED, None, {})
        assert reading.detail.startswith("cannot be counted: ")
        assert "open-sesame" not in reading.model_dump_json()
    away = probe(url="mongodb://127.0.0.1:9/app", collection="companies", timeout=0.3).check()
    assert away.status is Status.DEGRADED
    assert away.detail.startswith("cannot be counted: ")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"url": "mongodb://x/app"}, "give the collection"),
        ({"url": "sqlite:///x"}, "give a query"),
        ({"url": "redis://x", "query": "x"}, "not a known kind of database"),
    ],
)
def test_half_a_table_is_refused(table: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        probe(**table)
