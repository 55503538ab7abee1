"""How long the first screen takes with 100,000 events behind it, against a page that asks for nothing."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import pytest

from firstcause.core.model import Event
from support.benchmark_figures import Anchor, at_most_times
from support.http_server import serve_stage
from support.scenario_app import START

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from support.benchmark_figures import Recorder

EVENTS = 100_000
TENANTS = 400
_AT_ONCE = 5000
_TIMES = 15

SLOWEST = 40.0
"""How many times as long as the answer that the process is up a first screen may take."""


def _seconds(client: httpx.Client, path: str) -> tuple[float, float]:
    """Of the first answer, and of those after it, which the daemon may remember; the median."""
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        client.get(path, headers={"Accept": "text/html"}).raise_for_status()
        took.append(time.perf_counter() - began)
    return took[0], statistics.median(took[1:])


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_first_paint_with_100_000_events(record: Recorder, tmp_path: Path) -> None:
    codes = ("SMS_DELIVERY_FAILURE", "TWILIO_GREETING_FAILURE", "REDIS_SLOW", "TWILIO_API_FAILURE", "NEW_ONE")
    with serve_stage(tmp_path, health={"interval": 3600}) as (client, stage):
        for start in range(0, EVENTS, _AT_ONCE):
            batch = [
                Event(
                    id=f"{start + at}",
                    time=START,
                    code=codes[at % len(codes)],
                    tenant=f"tenant-{at % TENANTS}",
                    service="web",
                    message=f"it failed, number {at}",
                )
                for at in range(_AT_ONCE)
            ]
            stage.app.intake.accept(batch, START)
        stage.app.pipeline.triage_all(START)
        while stage.app.monitoring.get_status(START)["store"]["waiting"]:
            time.sleep(0.2)
        number = client.get("/api/v1/incidents").json()["incidents"][0]["id"]
        _, trivial = _seconds(client, "/healthz")
        paths = {path: path for path in ("/", "/health", "/incidents", "/catalog", "/settings", "/rules")}
        paths["/incidents/ID"] = f"/incidents/{number}"
        taken = {name: _seconds(client, path) for name, path in paths.items()}
    anchor = Anchor("/healthz", 1000 * trivial)
    for name, (first, later) in taken.items():
        bar = at_most_times(SLOWEST) if name == "/" else None
        page = f"page {name}, {EVENTS:,} events stored"
        record(f"{page}, at first", 1000 * first, "ms", anchor=anchor)
        record(f"{page}, then", 1000 * later, "ms", anchor=anchor, bar=bar)
    assert taken["/"][1] / trivial < SLOWEST
