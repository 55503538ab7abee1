"""What it takes to accept a storm in our own format and to triage it; other formats are in test_formats.

20 codes, 20 services, 3 tenants, no two messages alike; the daemon as a process of its own on SQLite, real
HTTP by wrk.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from firstcause.core.model import Event, Impact, Incident, Priority, Root, Severity
from firstcause.store import event_log, inbox, incidents
from firstcause.store.event_log import EventRecord
from support import storm_generator
from support.benchmark_figures import Anchor, at_least, at_most, at_most_times
from support.bugsink_server import run_bugsink
from support.firstcause_process import DaemonProcess
from support.postgres_databases import create_postgres_database
from support.scenario_app import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.benchmark_figures import Recorder

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
"""A running Bugsink's DSN, or `install`."""

STORMS, STORM_SECONDS = 6, max(1, round(0.6 * SECONDS))
"""One after the other; wrk knows whole seconds only."""


@contextmanager
def daemon(folder: Path, store_url: str | None = None) -> Iterator[DaemonProcess]:
    url = store_url or f"sqlite:///{folder}/firstcause.db"
    (folder / "config.toml").write_text(f'[store]\nurl = "{url}"\n', encoding="utf-8")
    running = DaemonProcess(folder, is_forked=False)
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


def test_accepted_triaged_and_remembered(record: Recorder, tmp_path: Path) -> None:
    hundred = storm_generator.write_requests(tmp_path / "hundred.txt", 1000, 100)
    single = storm_generator.write_requests(tmp_path / "single.txt", 20_000, 1)
    with daemon(tmp_path) as running:
        url, process = f"{running.url}/api/v1/events", running.process.pid
        idle = storm_generator.resident_mb(process)
        began = time.monotonic()
        full = storm_generator.send(url, hundred, seconds=SECONDS, connections=MANY)
        in_storm = storm_generator.resident_mb(process)
        left = waiting(running)
        draining = storm_generator.measure_wait(lambda: waiting(running) == 0, 300)
        took = time.monotonic() - began
        half = storm_generator.send(url, hundred, seconds=SECONDS, connections=MANY, rate=full.rate / 2)
        storm_generator.measure_wait(lambda: waiting(running) == 0, 300)
        one = storm_generator.send(url, single, seconds=SECONDS, connections=2 * MANY)
        storm_generator.measure_wait(lambda: waiting(running) == 0, 300)
        first_end = storm_generator.resident_mb(process)
        again = storm_generator.send(url, hundred, seconds=SECONDS, connections=MANY)
        in_storm = max(in_storm, storm_generator.resident_mb(process))
        storm_generator.measure_wait(lambda: waiting(running) == 0, 300)
        end = storm_generator.resident_mb(process)
        sent = (full.accepted + half.accepted + again.accepted) * 100 + one.accepted
        assert 0 <= events_of(running) - sent <= 4 * MANY * 100, (
            "wrk hangs up on what is under way at its end"
        )
    top, slow = full.rate * 100, "where half of the top rate is sent"
    what = f"accepted, 100 events a post, {MANY} connections"
    record(what, top, "events/s")
    record("triaged after the storm", left / draining, "events/s", bar=at_least(20_000))
    record("triaged, from the first post to the last event", full.accepted * 100 / took, "events/s")
    what = f"accepted, one event a post, {2 * MANY} connections"
    record(what, one.rate, "events/s", bar=at_least(2500))
    record(f"accepted {slow}", half.rate * 100, "events/s", anchor=Anchor("top rate", top))
    record(f"acknowledged {slow}, p50", half.p50_ms, "ms")
    record(f"acknowledged {slow}, p99", half.p99_ms, "ms", bar=at_most(50))
    record("memory when idle", idle, "MB")
    record("memory in the storm", in_storm, "MB", bar=at_most(250))
    record("memory when all is triaged", first_end, "MB")
    record("memory when another storm is triaged", end, "MB", anchor=Anchor("before it", first_end))
    assert not any(each.refused or each.broken for each in (full, half, one, again))


def test_memory_stays_flat(record: Recorder, tmp_path: Path) -> None:
    """Storm after storm, each triaged before the next."""
    hundred = storm_generator.write_requests(tmp_path / "hundred.txt", 1000, 100)
    held = []
    with daemon(tmp_path) as running:
        for _ in range(STORMS):
            url = f"{running.url}/api/v1/events"
            storm_generator.send(url, hundred, seconds=STORM_SECONDS, connections=MANY)
            storm_generator.measure_wait(lambda: waiting(running) == 0, 300)
            held.append(storm_generator.resident_mb(running.process.pid))
    for number, memory in enumerate(held, 1):
        record(f"memory after storm {number} of {STORMS}", memory, "MB")
    record(f"memory gained from storm 2 to storm {STORMS}", held[-1] - held[1], "MB")
    record("memory gained over the last three storms", held[-1] - held[-3], "MB", bar=at_most(5))


@pytest.mark.postgres
def test_the_same_on_postgres(record: Recorder, tmp_path: Path, postgres_server: str) -> None:
    hundred = storm_generator.write_requests(tmp_path / "hundred.txt", 1000, 100)
    with create_postgres_database(postgres_server) as store_url, daemon(tmp_path, store_url) as running:
        began = time.monotonic()
        full = storm_generator.send(f"{running.url}/api/v1/events", hundred, seconds=SECONDS)
        left = waiting(running)
        draining = storm_generator.measure_wait(lambda: waiting(running) == 0, 300)
        took = time.monotonic() - began
    record("Postgres: accepted, 100 events a post", full.rate * 100, "events/s")
    record("Postgres: triaged after the storm", left / draining, "events/s")
    record("Postgres: triaged, from first to last", full.accepted * 100 / took, "events/s")


def test_a_steady_stream_is_triaged_as_it_comes(record: Recorder, tmp_path: Path) -> None:
    """20,000 events a second for a while: what waits at the end is no more than a moment's."""
    hundred = storm_generator.write_requests(tmp_path / "hundred.txt", 1000, 100)
    with daemon(tmp_path) as running:
        url = f"{running.url}/api/v1/events"
        storm_generator.send(url, hundred, seconds=2, rate=200)
        storm_generator.measure_wait(lambda: waiting(running) == 0, 300)
        sent = storm_generator.send(url, hundred, seconds=2 * SECONDS, rate=200)
        left = waiting(running)
    record("stream, 20,000 events/s sent: accepted", sent.rate * 100, "events/s")
    record("stream: events that wait at its end", left)
    record("stream: acknowledged, p50", sent.p50_ms, "ms")
    record("stream: acknowledged, p99", sent.p99_ms, "ms")


@contextmanager
def bugsink_dsn(folder: Path) -> Iterator[str]:
    if BUGSINK is None:
        pytest.skip("FIRSTCAUSE_BENCHMARK_BUGSINK is neither `install` nor the DSN of a running Bugsink")
    if BUGSINK != "install":
        yield BUGSINK
        return
    with run_bugsink(folder) as dsn:
        yield dsn


def test_beside_bugsink(record: Recorder, tmp_path: Path) -> None:
    """The same posts to both: Sentry's store endpoint, an event a request."""
    sentry = storm_generator.write_sentry_requests(tmp_path / "sentry.txt", 5000)
    with bugsink_dsn(tmp_path) as dsn:
        secret, _, rest = dsn.removeprefix("http://").partition("@")
        host, _, project = rest.partition("/")
        url = f"http://{host}/api/{project}/store/?sentry_key={secret}&sentry_version=7"
        theirs = storm_generator.send(url, sentry, seconds=SECONDS, connections=8)
    with daemon(tmp_path) as running:
        url = f"{running.url}/api/1/store/?sentry_key=any&sentry_version=7"
        ours = storm_generator.send(url, sentry, seconds=SECONDS, connections=8)
    record("accepted, Sentry's events", ours.rate, "events/s", anchor=Anchor("Bugsink", theirs.rate))
    record("share of its requests that Bugsink refused", theirs.refused / theirs.requests)


def test_listing_takes_as_long_with_a_million_events(record: Recorder, tmp_path: Path) -> None:
    few, many = (_listing(tmp_path, events) for events in (10_000, 1_000_000))
    record(
        "listing 50 incidents, 1,000,000 events stored",
        many * 1000,
        "ms",
        anchor=Anchor("10,000 stored", few * 1000),
        bar=at_most_times(1.5),
    )
    assert many < 3 * few


def _listing(folder: Path, events: int) -> float:
    """Seconds, the best of several."""
    stage = Stage(f"sqlite:///{folder}/{events}.db", folder)
    database, now = stage.app.database, stage.time(0)
    with database.write() as conn:
        for number in range(100):
            incidents.save(conn, _incident(f"fault {number}", now))
        text = inbox.encode_event(
            Event(id="x", time=now, code="LATENCY_HIGH", message="request 17 took 4100 ms")
        )
        for start in range(0, events, 10_000):
            rows = [
                EventRecord(f"{place}", text, f"print {place % 100}")
                for place in range(start, start + 10_000)
            ]
            event_log.append(conn, rows, now + timedelta(seconds=start))
    taken = []
    for _ in range(15):
        began = time.perf_counter()
        assert len(stage.app.incidents.list_incidents()) == 50
        taken.append(time.perf_counter() - began)
    stage.app.close()
    return min(taken)


def _incident(fault: str, now: datetime) -> Incident:
    return Incident(
        fault=fault, root=Root(code="A"), title="t", priority=Priority.P1, severity=Severity.CRITICAL,
        impact=Impact(), opened_at=now.astimezone(UTC),
    )  # fmt: skip
