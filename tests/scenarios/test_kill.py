"""Killed with SIGKILL at random moments: nothing acknowledged is lost, nothing is counted twice."""

from __future__ import annotations

import contextlib
import random
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import sqlalchemy as sa

from firstcause.store.database import Database
from firstcause.store.tables import alert, event, incident
from support.firstcause_process import DaemonProcess, Receiver, wait_until

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 8
"""On each of the two databases."""


class Sender(threading.Thread):
    """An application that reports one error after another, and each again until it is acknowledged."""

    def __init__(self, url: str, events: list[dict[str, str]]) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.waiting = events
        self.acknowledged: set[str] = set()
        self._ended = threading.Event()

    def run(self) -> None:
        while self.waiting and not self._ended.is_set():
            part = self.waiting[:7]
            try:
                httpx.post(f"{self.url}/api/v1/events", json=part, timeout=5).raise_for_status()
            except httpx.HTTPError:
                self._ended.wait(0.02)
                continue
            self.acknowledged |= {event["id"] for event in part}
            del self.waiting[: len(part)]

    def end(self) -> None:
        self._ended.set()
        self.join()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_kill_at_random_moments(tmp_path: Path, store_url: str) -> None:
    chance = random.Random(20261123)
    sent: set[str] = set()
    acknowledged: set[str] = set()
    left: list[dict[str, str]] = []
    with Receiver() as receiver:
        (tmp_path / "config.toml").write_text(
            f'[store]\nurl = "{store_url}"\n[notify]\ngroup_wait = "50ms"\n'
            f'[plugins.webhook]\nurl = "{receiver.url}"\n'
            # The storm is no regression here: only what is sent is to be there.
            "[rules.thresholds]\nregression_floor = 1000000\n"
        )
        for life in range(KILLS + 1):
            left += [
                {
                    "id": f"{life}-{number}",
                    "code": f"CODE_{life}",
                    "severity": "CRITICAL",
                    "tenant": f"t{number % 5}",
                }
                for number in range(140)
            ]
            sent |= {event["id"] for event in left}
            running = DaemonProcess(tmp_path)
            sender = Sender(running.url, left)
            sender.start()
            if life < KILLS:
                # Now while events come in, now while they are triaged or said.
                sender.join(timeout=chance.uniform(0, 0.7))
                running.kill()
                sender.end()
            else:
                sender.join()
            acknowledged |= sender.acknowledged
            left = sender.waiting
        engine = sa.create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
        try:
            _everything_is_triaged(store_url)
            _everything_is_there(engine, sent, acknowledged)
            _everything_is_said(engine, receiver)
        finally:
            engine.dispose()
            assert running.stop() == 0


def _everything_is_triaged(store_url: str) -> None:
    with contextlib.closing(Database(store_url)) as database:
        wait_until(lambda: _waiting(database) == 0, "triage")


def _waiting(database: Database) -> int:
    with database.read() as conn:
        return database.inbox.count_pending(conn)


def _everything_is_there(engine: sa.Engine, sent: set[str], acknowledged: set[str]) -> None:
    assert acknowledged == sent
    with engine.connect() as conn:
        stored = [row.event_id.rpartition(":")[2] for row in _rows(conn, sa.select(event.c.event_id))]
        assert Counter(stored) == Counter(sent)
        counted = Counter[str]()
        for row in _rows(conn, sa.select(alert.c.code, alert.c.count)):
            counted[row.code] += row.count
        assert counted == Counter(f"CODE_{name.partition('-')[0]}" for name in sent)
        opened = [row.root_code for row in _rows(conn, sa.select(incident.c.root_code))]
        assert sorted(opened) == sorted(counted)


def _rows(conn: sa.Connection, query: sa.Select[Any]) -> list[Any]:
    conn.rollback()
    return list(conn.execute(query))


def _everything_is_said(engine: sa.Engine, receiver: Receiver) -> None:
    with engine.connect() as conn:
        wanted = {str(row.id) for row in _rows(conn, sa.select(incident.c.id))}
    wait_until(
        lambda: {each["incident_id"] for each in list(receiver.received)} == wanted, "every notification"
    )
    unmarked = Counter(each["incident_id"] for each in receiver.received if not each["maybe_repeat"])
    assert all(count == 1 for count in unmarked.values()), "a repetition was not marked as one"
