"""Killed with SIGKILL right after the answers: what any format reported is there, and once."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import sqlalchemy as sa

from firstcause.store.database import Database
from firstcause.store.tables import alert
from support.firstcause_process import DaemonProcess, wait_until
from support.format_requests import NATIVE_VARIANTS, OTHER_FORMATS, FormatRequest, write_native

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KILLS, EVENTS = 2, 5
FORMATS: dict[str, Callable[[int, Iterator[dict[str, Any]]], FormatRequest]] = {
    "plain": write_native,
    **NATIVE_VARIANTS,
    **OTHER_FORMATS,
}


def create_events(life: int, number: int) -> Iterator[dict[str, Any]]:
    """Errors that are all different, so that each is an alert with a count."""
    for index in range(100):
        code = f"KILLED_{life}_FORMAT_{number}_{chr(ord('A') + index)}"
        yield {
            "code": code,
            "service": "checkout",
            "tenant": "acme",
            "severity": "WARNING",
            "message": f"it failed in {code}",
            "details": {"attempt": 1},
        }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_each_format_reported_survives_a_kill(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.proto")
    store_url = f"sqlite:///{tmp_path}/firstcause.db"
    (tmp_path / "config.toml").write_text(
        f'[store]\nurl = "{store_url}"\n[rules.thresholds]\nregression_floor = 1000000\n'
        "[intake]\nmax_uncatalogued_per_service = 1000\n"
    )
    sent: set[str] = set()
    for life in range(KILLS):
        running = DaemonProcess(tmp_path)
        for number, write in enumerate(FORMATS.values()):
            request = write(EVENTS, create_events(life, number))
            response = httpx.post(
                f"{running.url}{request.path}",
                content=request.body,
                headers=dict(request.headers),
                timeout=60,
            )
            assert response.status_code in (200, 202), response.text
            # The writer of envelopes takes the first error for its seed.
            first = 1 if write is OTHER_FORMATS["Sentry envelopes, 20 frames, gzip"] else 0
            codes = [event["code"] for event in create_events(life, number)]
            sent |= set(codes[first : first + EVENTS])
        running.kill()
    running = DaemonProcess(tmp_path)
    try:
        with contextlib.closing(Database(store_url)) as database:
            wait_until(lambda: _count_waiting(database) == 0, "triage")
            with database.read() as conn:
                rows = conn.execute(sa.select(alert.c.code, alert.c.count)).all()
        counts = Counter({row.code: row.count for row in rows if row.code.startswith("KILLED_")})
        assert counts == Counter(sent)
    finally:
        assert running.stop() == 0


def _count_waiting(database: Database) -> int:
    with database.read() as conn:
        return database.inbox.count_pending(conn)
