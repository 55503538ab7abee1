"""The pictures of the README and docs/page.md. FIRSTCAUSE_TEST_PICTURES=docs/img takes them again."""

from __future__ import annotations

import math
import os
import random
import sqlite3
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from firstcause.core.health.snapshot import PRESENT, ProbeObservation, Snapshot
from firstcause.core.model import Severity, Status
from firstcause.demo import scenario
from firstcause.store import event_counts, snapshots
from firstcause.store.database import Database
from support.firstcause_process import Receiver, wait_until
from web.browser.conftest import playing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

FOLDER = os.environ.get("FIRSTCAUSE_TEST_PICTURES")
LARGEST = 150_000
"""Bytes."""

DAY = timedelta(days=1)
STEP = timedelta(minutes=5)

pytestmark = pytest.mark.skipif(FOLDER is None, reason="FIRSTCAUSE_TEST_PICTURES names no folder")

VIEWS = {
    "now": "/",
    "incident": "/incidents/1",
    "health": "/health",
    "trends": "/trends?range=24h&probe=twilio&metric=redis.memory_used_share",
    "snapshots": "/snapshots?before=good&after=latest",
    "catalog": "/catalog?q=twilio",
    "rules": "/rules",
    "settings": "/settings",
}
MORE = """
[plugins.http.checks.website]
url = "{url}"
component = "platform"
interval = 2
[plugins.sql.databases.sqlite]
url = "sqlite:///{folder}/app.db"
interval = 2
[plugins.host]
watch = true
load_per_cpu = 1000
"""

SET = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER")
HEIGHTS = {"incident": 840, "trends": 1180}


def remember(store_url: str) -> None:
    """A day that was: latencies, a deployment, a cache that fills up, and an evening with more errors."""
    database = Database(store_url)
    database.prepare()
    chance = random.Random(7)
    end = datetime.now(UTC) - STEP
    with database.write() as conn:
        at = end - DAY
        while at < end:
            share = 1 - (end - at) / DAY
            wave = 40 + 15 * math.sin(share * 6.3)
            late = 3 if 0.58 < share < 0.62 else 1
            seen = {
                "twilio": _seen("twilio", wave * late + chance.gauss(0, 3), late > 1),
                "redis": _seen("redis", 2 + chance.random(), False, memory_used_share=0.55 + 0.33 * share),
                "website": _seen("platform", 90 + wave + chance.gauss(0, 9), False, release=_release(share)),
            }
            good = "nothing was wrong" if late == 1 else None
            kept = Snapshot(taken_at=at, infrastructure=seen, configuration=dict.fromkeys(SET, PRESENT))
            snapshots.add(conn, kept, good)
            errors = max(0, round(chance.gauss(2, 2) + (25 if late > 1 else 0)))
            event_counts.record(conn, {("SMS_DELIVERY_FAILURE", Severity.CRITICAL): errors}, at)
            at += STEP
    database.close()


def _release(share: float) -> str:
    return "v41" if share < 0.57 else "v42"


def _seen(component: str, latency: float, hurt: bool, **data: str | float) -> ProbeObservation:
    status = Status.DEGRADED if hurt else Status.UP
    latency = round(max(latency, 0.4), 1)
    return ProbeObservation(
        status=status,
        component=component,
        latency_ms=latency,
        p95_ms=round(latency * 1.6, 1),
        p99_ms=round(latency * 2.3, 1),
        data=data,
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, stack = tmp_path_factory.mktemp("pictures"), ExitStack()
    remember(f"sqlite:///{folder}/demo.db")
    sqlite3.connect(folder / "app.db").close()
    more = MORE.format(folder=folder, url=stack.enter_context(Receiver()).url)
    with playing(folder, interval=2, more=more) as scene:
        scene.deploy(whole=False)
        scene.report(*scenario.build_storm())
        wait_until(lambda: scene.twilio.messages, "the SMS")
        wait_until(lambda: scene.health() == "DOWN", "a snapshot of it")
        yield scene.url
    stack.close()


@pytest.mark.parametrize(
    ("name", "view", "width", "height", "scheme"),
    [
        *((name, path, 1200, HEIGHTS.get(name, 800), "light") for name, path in VIEWS.items()),
        ("incident-dark", VIEWS["incident"], 1200, 800, "dark"),
        ("now-phone", VIEWS["now"], 390, 760, "light"),
    ],
)
def test_picture(
    url: str, browser: Browser, name: str, view: str, width: int, height: int, scheme: str
) -> None:
    made = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    tab = made.new_page()
    tab.goto(f"{url}{view}")
    expect(tab.locator("main h1")).to_be_visible()
    tab.wait_for_timeout(800)
    path = Path(str(FOLDER)) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=path)
    made.close()
    assert path.stat().st_size < LARGEST
