"""What it costs to accept an error in each format, beside plain events of our own format in the same run.

CPU time of one process from a request's bytes until it is on disk, without sockets: it depends less on how
busy the machine is than a rate does. Alerts are also sent to Alertmanager, the same posts to both by wrk.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.app.application import Application
from firstcause.config import Settings
from firstcause.intake.listeners import ListenerSupervisor
from firstcause.plugins.manager import PluginManager
from firstcause.web.ingest import IngestMiddleware
from firstcause_syslog.config import Config
from firstcause_syslog.joining import MessageJoiner
from firstcause_syslog.parser import Parser
from support import storm_generator
from support.benchmark_figures import Anchor, at_least_times, at_most, at_most_times
from support.database_servers import free_port
from support.firstcause_process import DaemonProcess
from support.format_requests import NATIVE_VARIANTS, OTHER_FORMATS, FormatRequest, create_events, write_native

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from support.benchmark_figures import Recorder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.alone]

BATCH, REQUESTS, ROUNDS = 100, 24, 3
PLAIN = "our own format, plain"
SECONDS, CONNECTIONS = 5, 8


@contextmanager
def open_intake(folder: Path) -> Iterator[tuple[Application, IngestMiddleware]]:
    settings = Settings.model_validate(
        {"store": {"url": f"sqlite:///{folder}/firstcause.db"}, "folder": folder}
    )
    app = Application(settings, PluginManager.load(settings.plugins))
    app.database.prepare()
    app.intake.start_writer(lambda: datetime.now(UTC), lambda: None)
    try:
        yield app, IngestMiddleware(_refuse, app.intake, settings, app.plugins.formats())
    finally:
        app.intake.close_writer()
        app.close()


async def _refuse(scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError(scope["path"])


async def post(middleware: IngestMiddleware, request: FormatRequest) -> int:
    """The status of the answer."""
    statuses = []
    received = iter([{"type": "http.request", "body": request.body, "more_body": False}])

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    async def receive() -> Any:
        return next(received)

    headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
    scope = {
        "type": "http", "method": "POST", "path": request.path, "query_string": b"", "headers": headers,
        "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await middleware(scope, receive, send)
    return int(statuses[0])


def measure_cpu_us(middleware: IngestMiddleware, requests: Sequence[FormatRequest]) -> float:
    """Microseconds of CPU for each event, the best of some rounds; several senders wait together."""

    async def send_all() -> float:
        began = time.process_time()
        for start in range(0, len(requests), CONNECTIONS):
            several = requests[start : start + CONNECTIONS]
            statuses = await asyncio.gather(*(post(middleware, request) for request in several))
            assert set(statuses) <= {200, 202}
        return (time.process_time() - began) * 1e6 / sum(request.events for request in requests)

    return min(asyncio.run(send_all()) for _ in range(ROUNDS))


def measure_syslog_us(app: Application) -> float:
    supervisor = ListenerSupervisor([], app.intake, lambda: datetime.now(UTC), 1 << 20)
    joiner = MessageJoiner(Parser(Config()))
    errors = create_events()
    now = datetime.now(UTC)
    lines = [
        f'<11>1 {now.isoformat()} web-1 {error["service"]} 77 - [meta@1 tenant="{error["tenant"]}"] '
        f"{error['message']}".encode()
        for error, _ in zip(errors, range(BATCH * REQUESTS), strict=False)
    ]
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for start in range(0, len(lines), BATCH):
            for line in lines[start : start + BATCH]:
                joiner.add_message(line, "source", "peer", now, by_stream=True)
            supervisor._submit_events("syslog", joiner.take_ready(None))
        best = min(best, (time.process_time() - began) * 1e6 / len(lines))
    return best


def test_cpu_of_each_format(record: Recorder, tmp_path: Path) -> None:
    errors = create_events()
    with open_intake(tmp_path) as (app, middleware):
        plain = measure_cpu_us(middleware, [write_native(BATCH, errors) for _ in range(REQUESTS)])
        anchor = Anchor(PLAIN, plain)
        record(f"CPU an event: {PLAIN}", plain, "us")
        for name, write in NATIVE_VARIANTS.items():
            cost = measure_cpu_us(middleware, [write(BATCH, errors) for _ in range(REQUESTS)])
            record(f"CPU an event: {name}", cost, "us", anchor=anchor, bar=at_most_times(1 / 0.6))
        for name, write in OTHER_FORMATS.items():
            batch = 1 if "Sentry" in name else BATCH
            try:
                requests = [write(batch, errors) for _ in range(10 * REQUESTS if batch == 1 else REQUESTS)]
            except ModuleNotFoundError:
                continue
            bar = at_most(300) if "Sentry" in name else None
            record(
                f"CPU an event: {name}", measure_cpu_us(middleware, requests), "us", anchor=anchor, bar=bar
            )
        record("CPU an event: syslog, RFC 5424", measure_syslog_us(app), "us", anchor=anchor)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk sends the alerts: apt-get install wrk")
@pytest.mark.skipif(
    storm_generator.Alertmanager.program is None, reason="apt-get install prometheus-alertmanager"
)
def test_alerts_beside_alertmanager(record: Recorder, tmp_path: Path) -> None:
    """The same posts to both. Alertmanager keeps them in memory, firstcause has them on disk."""
    bodies = storm_generator.write_requests(tmp_path / "alerts.txt", 500, BATCH, storm_generator.to_alert)
    with storm_generator.Alertmanager(tmp_path, free_port()) as running:
        theirs = storm_generator.send(
            f"{running.url}/api/v2/alerts", bodies, seconds=SECONDS, connections=CONNECTIONS
        )
    (tmp_path / "config.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path}/x.db"\n', encoding="utf-8")
    daemon = DaemonProcess(tmp_path)
    try:
        ours = storm_generator.send(
            f"{daemon.url}/api/v2/alerts", bodies, seconds=SECONDS, connections=CONNECTIONS
        )
    finally:
        daemon.kill()
    assert (theirs.refused, theirs.broken, ours.refused, ours.broken) == (0, 0, 0, 0)
    anchor = Anchor("Alertmanager (in memory)", theirs.rate * BATCH)
    record(
        "accepted, Prometheus' alerts, 100 a post", ours.rate * BATCH, "alerts/s",
        anchor=anchor, bar=at_least_times(1),
    )  # fmt: skip
    record("acknowledged, Prometheus' alerts, p99", ours.p99_ms, "ms")
