"""A prepared store, and programs that use it as processes of their own."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from firstcause.core.model import Alert, Impact, Incident, Priority, Root, Severity
from firstcause.store import incidents
from firstcause.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    made = Database(store_url)
    made.prepare()
    yield made
    made.close()


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def an_alert() -> Callable[..., Alert]:
    def make(fingerprint: str, **fields: object) -> Alert:
        values = {
            "fingerprint": fingerprint,
            "fault": f"fault of {fingerprint}",
            "code": "DB-001",
            "catalogued": True,
            "title": "The database is down",
            "severity": Severity.CRITICAL,
            "first_seen": NOW,
            "last_seen": NOW + timedelta(seconds=5),
            "count": 1,
        }
        return Alert.model_validate(values | fields)

    return make


@pytest.fixture
def an_incident() -> Callable[..., Incident]:
    def make(fault: str, **fields: object) -> Incident:
        values = {
            "fault": fault,
            "root": Root(code="DB-001"),
            "title": "The database is down",
            "priority": Priority.P0,
            "severity": Severity.CRITICAL,
            "impact": Impact(),
            "opened_at": NOW,
        }
        return Incident.model_validate(values | fields)

    return make


@pytest.fixture
def number(database: Database, an_incident: Callable[..., Incident]) -> int:
    """The row of an open incident."""
    with database.write() as conn:
        return incidents.save(conn, an_incident("fault"))


@pytest.fixture
def program() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python text as a process of its own; argv[1:] are the further arguments."""
    started: list[subprocess.Popen[str]] = []

    def start(text: str, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", text, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
