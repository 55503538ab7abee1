"""How much longer answers take while a batch of 10,000 events is triaged than on an idle daemon."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from support.benchmark_figures import Anchor, at_most
from support.firstcause_process import run_daemon, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from support.benchmark_figures import Recorder

EVENTS = 10_000
EVENTS_PER_POST = 100
CODES = ("SMS_DELIVERY_FAILURE", "TWILIO_GREETING_FAILURE", "REDIS_SLOW", "TWILIO_API_FAILURE", "NEW_ONE")
PATHS = (
    "/", "/incidents/1", "/api/v1/incidents", "/api/v1/incidents/1", "/api/v1/incidents/1/explain",
    "/api/v1/incidents/1/debug", "/api/v1/health", "/api/v1/status", "/rules", "/settings",
)  # fmt: skip
ROUNDS = 15


def _build_batch(start: int) -> list[dict[str, str]]:
    return [
        {
            "code": CODES[index % len(CODES)],
            "tenant": f"tenant-{index % 40}",
            "service": f"service-{index % 20}",
            "message": f"it failed, number {index}",
        }
        for index in range(start, start + EVENTS_PER_POST)
    ]


def _post_storm(client: httpx.Client) -> None:
    for start in range(0, EVENTS, EVENTS_PER_POST):
        client.post("/api/v1/events", json=_build_batch(start)).raise_for_status()


def _time_answer(client: httpx.Client, path: str) -> float:
    """Milliseconds of one GET."""
    started = time.perf_counter()
    client.get(path, headers={"Accept": "text/html"}).raise_for_status()
    return 1000 * (time.perf_counter() - started)


def _count_waiting(client: httpx.Client) -> int:
    return int(client.get("/api/v1/status").json()["store"]["waiting"])


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_answers_while_a_batch_is_triaged(record: Recorder, tmp_path: Path) -> None:
    with (
        run_daemon(tmp_path, is_forked=False) as daemon,
        httpx.Client(base_url=daemon.url, timeout=60) as client,
    ):
        _post_storm(client)
        wait_until(lambda: _count_waiting(client) == 0, "triage of the first storm", timeout_s=120)
        time.sleep(2)
        idle = {path: statistics.median(_time_answer(client, path) for _ in range(ROUNDS)) for path in PATHS}
        busy: dict[str, list[float]] = {path: [] for path in PATHS}
        for _ in range(4):
            _post_storm(client)
            while _count_waiting(client):
                for path in PATHS:
                    busy[path].append(_time_answer(client, path))
    for path in PATHS:
        assert busy[path], "nothing was asked while events waited"
        added = statistics.median(busy[path]) - idle[path]
        what = f"GET {path}, added while {EVENTS:,} events are triaged, median"
        record(what, added, "ms", anchor=Anchor("idle", idle[path]), bar=at_most(100))
