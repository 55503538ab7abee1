"""Full load in several formats, quiet and under attack: each acknowledged event is in the history once.

FIRSTCAUSE_SOAK_EVENTS sets how many events are sent to each database, for example 10_000_000.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import threading
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest
import sqlalchemy as sa

from firstcause.store.database import Database
from firstcause.store.tables import event
from support.attack_traffic import attack
from support.benchmark_figures import Anchor, Bar
from support.firstcause_process import run_daemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.benchmark_figures import Recorder

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(0)]

EVENTS = int(os.environ.get("FIRSTCAUSE_SOAK_EVENTS", "4000"))
EVENTS_PER_REQUEST = 20
SENDERS_PER_FORMAT = 2
RATIO_BAR = Bar("<=", 2, "ratio")
_MARK = re.compile(r"soak-\d+")


def _send_list(client: httpx.Client, marks: list[str]) -> httpx.Response:
    return client.post("/api/v1/events", json=[{"code": "SOAK", "message": mark} for mark in marks])


def _send_lines(client: httpx.Client, marks: list[str]) -> httpx.Response:
    lines = "\n".join(json.dumps({"code": "SOAK", "message": mark}) for mark in marks)
    return client.post("/api/v1/events", content=lines, headers={"Content-Type": "application/x-ndjson"})


def _send_otlp(client: httpx.Client, marks: list[str]) -> httpx.Response:
    now = time.time_ns()
    records = [
        {"timeUnixNano": str(now), "severityNumber": 17, "body": {"stringValue": f"the disk failed: {mark}"}}
        for mark in marks
    ]
    body = {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": records}]}]}
    return client.post("/v1/logs", json=body)


def _send_cloudevents(client: httpx.Client, marks: list[str]) -> httpx.Response:
    common = {"specversion": "1.0", "source": "/soak", "type": "soak.failed"}
    events = [common | {"id": mark, "data": {"message": mark}} for mark in marks]
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    return client.post("/api/v1/webhooks/cloudevents", content=json.dumps(events), headers=headers)


FORMATS = (_send_list, _send_lines, _send_otlp, _send_cloudevents)


def _send_part(
    url: str,
    send: Callable[[httpx.Client, list[str]], httpx.Response],
    marks: list[str],
    taken: list[str],
    waits_s: list[float],
) -> None:
    with httpx.Client(base_url=url, timeout=60) as client:
        for start in range(0, len(marks), EVENTS_PER_REQUEST):
            part = marks[start : start + EVENTS_PER_REQUEST]
            began = time.monotonic()
            # A refused request is sent again: nothing of it was taken.
            while (response := send(client, part)).status_code == 503:
                time.sleep(float(response.headers.get("retry-after", "1")))
            response.raise_for_status()
            waits_s.append(time.monotonic() - began)
            taken += part


def _read_marks(database: Database) -> Iterator[str]:
    with database.read() as conn:
        rows = conn.execution_options(yield_per=10_000).execute(sa.select(event.c.event)).scalars()
        for row in rows:
            if found := _MARK.search(json.dumps(row)):
                yield found[0]


def _send_all(url: str, first: int, count: int, taken: list[str]) -> tuple[float, float]:
    """Send `count` events with each sender. Returns the seconds that it took, and the p99 of a request."""
    waits_s: list[float] = []
    senders = []
    for number, send in enumerate(FORMATS * SENDERS_PER_FORMAT):
        start = first + number * count
        marks = [f"soak-{index}" for index in range(start, start + count)]
        senders.append(threading.Thread(target=_send_part, args=(url, send, marks, taken, waits_s)))
    began = time.monotonic()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return time.monotonic() - began, statistics.quantiles(waits_s, n=100)[98]


def test_each_acknowledged_event_is_counted_once(record: Recorder, store_url: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[store]\nurl = "{store_url}"\n', encoding="utf-8")
    sender_count = len(FORMATS) * SENDERS_PER_FORMAT
    count = EVENTS // sender_count // 2
    taken: list[str] = []
    with run_daemon(tmp_path, is_forked=False) as running:
        took, quiet_p99 = _send_all(running.url, 0, count, taken)
        with attack(running.url):
            _, attacked_p99 = _send_all(running.url, sender_count * count, count, taken)
        status = f"{running.url}/api/v1/status"
        wait_until(
            lambda: httpx.get(status, timeout=60).json()["store"]["waiting"] == 0,
            "triage",
            300 + EVENTS / 500,
        )
        assert running.stop() == 0
    assert len(taken) == 2 * count * sender_count, "every sender was acknowledged in the end"
    with closing(Database(store_url)) as database:
        counted = Counter(_read_marks(database))
    lost = set(taken) - counted.keys()
    doubled = [mark for mark, times in counted.items() if times > 1]
    assert (lost, doubled) == (set(), [])
    what = f"soak on {database.engine.dialect.name}, four formats at once"
    record(f"{what}: acknowledged", len(taken) / 2 / took, "events/s")
    record(f"{what}: p99 of a request, quiet", quiet_p99 * 1000, "ms")
    quiet = Anchor("quiet", quiet_p99 * 1000)
    record(f"{what}: p99 of a request, under attack", attacked_p99 * 1000, "ms", anchor=quiet, bar=RATIO_BAR)
