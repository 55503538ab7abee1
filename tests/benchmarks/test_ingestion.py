"""What it takes to accept a storm and to triage it, beside Alertmanager and Bugsink, which do a part of it.

20 codes, 20 services, 3 tenants, no two messages alike; the daemon as a process of its own on SQLite, real
HTTP by wrk. Alertmanager gets the same errors as alerts, 100 a post as well, and keeps them in memory only.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

import storming
from conftest import fresh_postgres
from firstcause.core.model import Event, Impact, Incident, Priority, Root, Severity
from firstcause.store import history, inbox, incidents
from firstcause.store.history import Kept
from running import DaemonProcess
from staging import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk sends the storm: apt-get install wrk"),
    pytest.mark.alone,
]

MANY = 64
"""Connections at once: whoever stores waits for the disk, and more senders wait together."""

SECONDS = float(os.environ.get("FIRSTCAUSE_BENCHMARK_SECONDS", "5"))
BUGSINK = os.environ.get("FIRSTCAUSE_BENCHMARK_BUGSINK")
"""A running Bugsink's DSN."""


@contextmanager
def daemon(folder: Path, store_url: str | None = None) -> Iterator[DaemonProcess]:
    url = store_url or f"sqlite:///{folder}/firstcause.db"
    (folder / "config.toml").write_text(f'[store]\nurl = "{url}"\n', encoding="utf-8")
    running = DaemonProcess(folder)
    try:
        yield running
    finally:
        running.kill()


def waiting(running: DaemonProcess) -> int:
    found = httpx.get(f"{running.url}/api/v1/status", timeout=60).json()["store"]["waiting"]
    return int(found)


def events_of(running: DaemonProcess) -> int:
    """Counted over all incidents."""
    listed = httpx.get(f"{running.url}/api/v1/incidents?limit=1000", timeout=60).json()["incidents"]
    return sum(each["events"] for each in listed)


def told(*rows: tuple[str, str, str]) -> None:
    print(f"\n{storming.table(rows)}")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def alertmanager_rate(folder: Path, port: int) -> float | None:
    """Alerts a second; None where there is none."""
    if storming.Alertmanager.program is None:
        return None
    bodies = storming.requests(folder / "alerts.txt", 1000, 100, storming.as_alert)
    with storming.Alertmanager(folder, port) as running:
        sent = storming.send(f"{running.url}/api/v2/alerts", bodies, seconds=SECONDS, connections=MANY)
    assert (sent.refused, sent.broken) == (0, 0)
    return sent.rate * 100


def per_second(rate: float | None) -> str:
    return "not installed" if rate is None else f"{rate:,.0f}/s"


def test_accepted_triaged_and_remembered(tmp_path: Path) -> None:
    hundred = storming.requests(tmp_path / "hundred.txt", 1000, 100)
    single = storming.requests(tmp_path / "single.txt", 20_000, 1)
    before = alertmanager_rate(tmp_path, free_port())
    with daemon(tmp_path) as running:
        url, process = f"{running.url}/api/v1/events", running.process.pid
        idle = storming.rss(process)
        began = time.monotonic()
        full = storming.send(url, hundred, seconds=SECONDS, connections=MANY)
        in_storm = storming.rss(process)
        left = waiting(running)
        draining = storming.waited(lambda: waiting(running) == 0, 300)
        took = time.monotonic() - began
        after = alertmanager_rate(tmp_path, free_port())
        half = storming.send(url, hundred, seconds=SECONDS, rate=full.rate / 2)
        storming.waited(lambda: waiting(running) == 0, 300)
        one = storming.send(url, single, seconds=SECONDS, connections=2 * MANY)
        storming.waited(lambda: waiting(running) == 0, 300)
        first_end = storming.rss(process)
        again = storming.send(url, hundred, seconds=SECONDS, connections=MANY)
        in_storm = max(in_storm, storming.rss(process))
        storming.waited(lambda: waiting(running) == 0, 300)
        end = storming.rss(process)
        sent = (full.accepted + half.accepted + again.accepted) * 100 + one.accepted
        assert 0 <= events_of(running) - sent <= 4 * MANY * 100, (
            "wrk hangs up on what is under way at its end"
        )
    beside = f"Alertmanager {per_second(before)} before, {per_second(after)} after, in memory only"
    told(
        (f"accepted, 100 events a post, {MANY} connections", f"{full.rate * 100:,.0f} events/s", beside),
        ("triaged after the storm", f"{left / draining:,.0f} events/s", "bar 20,000"),
        ("triaged, from the first post to the last event", f"{full.accepted * 100 / took:,.0f} events/s", ""),
        (f"accepted, one event a post, {2 * MANY} connections", f"{one.rate:,.0f} events/s", "bar 2,500"),
        (
            f"acknowledged at {half.rate * 100:,.0f} events/s",
            f"p50 {half.p50_ms:.1f} ms, p99 {half.p99_ms:.1f} ms",
            "bar: p99 50 ms at half of the top rate",
        ),
        ("memory", f"idle {idle:.0f} MB, storm {in_storm:.0f} MB", "bar 250 MB"),
        ("memory when all is triaged", f"{first_end:.0f} MB, after another storm {end:.0f} MB", "flat"),
    )
    assert not any(each.refused or each.broken for each in (full, half, one, again))


@pytest.mark.postgres
def test_the_same_on_postgres(tmp_path: Path, postgres_server: str) -> None:
    hundred = storming.requests(tmp_path / "hundred.txt", 1000, 100)
    with fresh_postgres(postgres_server) as store_url, daemon(tmp_path, store_url) as running:
        began = time.monotonic()
        full = storming.send(f"{running.url}/api/v1/events", hundred, seconds=SECONDS)
        left = waiting(running)
        draining = storming.waited(lambda: waiting(running) == 0, 300)
        took = time.monotonic() - began
    told(
        ("Postgres: accepted, 100 events a post", f"{full.rate * 100:,.0f} events/s", ""),
        ("Postgres: triaged after the storm", f"{left / draining:,.0f} events/s", ""),
        ("Postgres: triaged, from first to last", f"{full.accepted * 100 / took:,.0f} events/s", ""),
    )


def test_a_steady_stream_is_triaged_as_it_comes(tmp_path: Path) -> None:
    """20,000 events a second for a while: what waits at the end is no more than a moment's."""
    hundred = storming.requests(tmp_path / "hundred.txt", 1000, 100)
    with daemon(tmp_path) as running:
        url = f"{running.url}/api/v1/events"
        storming.send(url, hundred, seconds=2, rate=200)
        storming.waited(lambda: waiting(running) == 0, 300)
        sent = storming.send(url, hundred, seconds=2 * SECONDS, rate=200)
        left = waiting(running)
    told(
        (
            f"a stream of {sent.rate * 100:,.0f} events/s for {sent.seconds:.0f} s",
            f"{left:,} wait at its end",
            "",
        ),
        ("acknowledged meanwhile", f"p50 {sent.p50_ms:.1f} ms, p99 {sent.p99_ms:.1f} ms", ""),
    )


@pytest.mark.skipif(BUGSINK is None, reason="FIRSTCAUSE_BENCHMARK_BUGSINK names no running Bugsink's DSN")
def test_beside_bugsink(tmp_path: Path) -> None:
    """Its own store endpoint, an event a request as it takes them; ours by our own format."""
    assert BUGSINK is not None
    single = storming.requests(tmp_path / "single.txt", 5000, 1)
    secret, _, rest = BUGSINK.removeprefix("http://").partition("@")
    host, _, project = rest.partition("/")
    sentry = storming.sentry_requests(tmp_path / "sentry.txt", 5000)
    url = f"http://{host}/api/{project}/store/?sentry_key={secret}&sentry_version=7"
    theirs = storming.send(url, sentry, seconds=SECONDS, connections=8)
    with daemon(tmp_path) as running:
        ours = storming.send(f"{running.url}/api/v1/events", single, seconds=SECONDS, connections=2 * MANY)
    beside = f"Bugsink {theirs.rate:,.0f}/s, {theirs.refused} of {theirs.requests} refused"
    told(("accepted, one event a post", f"{ours.rate:,.0f}/s", beside))


def test_listing_takes_as_long_with_a_million_events(tmp_path: Path) -> None:
    few, many = (_listing(tmp_path, events) for events in (10_000, 1_000_000))
    told(
        (
            "listing 50 incidents",
            f"{few * 1000:.1f} ms with 10,000 events, {many * 1000:.1f} ms with 1,000,000",
            "bar: 1.5 times",
        )
    )
    assert many < 3 * few


def _listing(folder: Path, events: int) -> float:
    """Seconds, the best of several."""
    stage = Stage(f"sqlite:///{folder}/{events}.db", folder)
    database, now = stage.service.database, stage.time(0)
    with database.write() as conn:
        for number in range(100):
            incidents.save(conn, _incident(f"fault {number}", now))
        text = inbox.document(Event(id="x", time=now, code="LATENCY_HIGH", message="request 17 took 4100 ms"))
        for start in range(0, events, 10_000):
            rows = [Kept(f"{place}", text, f"print {place % 100}") for place in range(start, start + 10_000)]
            history.keep(conn, rows, now + timedelta(seconds=start))
    taken = []
    for _ in range(15):
        began = time.perf_counter()
        assert len(stage.service.incidents()) == 50
        taken.append(time.perf_counter() - began)
    stage.service.close()
    return min(taken)


def _incident(fault: str, now: datetime) -> Incident:
    return Incident(
        fault=fault, root=Root(code="A"), title="t", priority=Priority.P1, severity=Severity.CRITICAL,
        impact=Impact(), opened_at=now.astimezone(UTC),
    )  # fmt: skip
