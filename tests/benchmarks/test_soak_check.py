"""The soak's own eyes: what it must not overlook."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from support.simulated_clock import COMPILER, SimulatedClock
from support.soak_check import Findings, Route, check_receiver, list_active_parts
from support.unreliable_receivers import Kind, Message, parse_messages

if TYPE_CHECKING:
    from pathlib import Path

ROUTE = Route("chat", "apprise", "acme")

SUBJECTS = {
    Kind.BEGIN: "[P1] CRITICAL: it fails (#7)",
    Kind.UPDATE: "[P1] NEW CAUSE: it fails (#7)",
    Kind.FLAPPING: "[P1] FLAPPING, CRITICAL: it fails (#7)",
    Kind.END: "[P1] RESOLVED: it fails (#7)",
}


def build_incident(status: str, *, minutes: int = 60, tenant: str = "acme", tries: int = 1) -> dict[str, Any]:
    opened_at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    resolved_at = (opened_at + timedelta(minutes=minutes)).isoformat() if status == "resolved" else None
    alert: dict[str, Any] = {
        "code": "IT_FAILS",
        "service": "shop",
        "tenant": tenant,
        "resolved_at": resolved_at,
        "parts": [],
    }
    return {
        "id": "7",
        "status": status,
        "root": {"code": "IT_FAILS"},
        "opened_at": opened_at.isoformat(),
        "resolved_at": resolved_at,
        "alerts": [alert],
        "notifications": [{"notifier": "apprise"}] * tries,
    }


def check(incident: dict[str, Any], *kinds: Kind, marked: bool = False) -> list[str]:
    messages = [Message(7, kind, marked, number, kind) for number, kind in enumerate(kinds)]
    findings = Findings()
    check_receiver(ROUTE, messages, [incident], findings)
    return findings.violations


@pytest.mark.parametrize("kind", SUBJECTS)
def test_a_message_is_known_by_its_words(kind: Kind) -> None:
    (message,) = parse_messages(SUBJECTS[kind], "the report", 1.0)
    assert (message.incident, message.kind, message.marked) == (7, kind, False)
    (repeat,) = parse_messages(SUBJECTS[kind], "You may have received this message before: ...", 1.0)
    assert repeat.marked


def test_a_digest_is_a_message_about_each_incident() -> None:
    body = "HELD BACK: 2 incidents\n\n#3 P1: it fails\n#4 P2, resolved by now: it failed\n"
    messages = parse_messages("[P1] HELD BACK: 2 incidents since 03:00 UTC (#3)", body, 1.0)
    assert [(one.incident, one.kind) for one in messages] == [(3, Kind.LISTED_OPEN), (4, Kind.LISTED_OVER)]


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        ("open", (Kind.BEGIN,)),
        ("open", (Kind.BEGIN, Kind.END, Kind.BEGIN)),
        ("resolved", (Kind.BEGIN, Kind.UPDATE, Kind.END)),
        ("resolved", (Kind.FLAPPING, Kind.END)),
        ("resolved", (Kind.LISTED_OVER,)),
        ("resolved", ()),
    ],
)
def test_nothing_is_wrong(status: str, kinds: tuple[Kind, ...]) -> None:
    assert check(build_incident(status), *kinds) == []


@pytest.mark.parametrize(
    ("incident", "kinds", "wrong"),
    [
        (build_incident("open"), (), "is open, and the receiver was not told"),
        (build_incident("open"), (Kind.BEGIN, Kind.END), "is open, and the receiver was not told"),
        (build_incident("resolved"), (Kind.BEGIN,), "is resolved, and the receiver was not told"),
        (build_incident("resolved", tries=0), (), "nobody tried to tell the receiver"),
        (build_incident("resolved"), (Kind.END,), "an end without a beginning"),
        (build_incident("open"), (Kind.BEGIN, Kind.BEGIN), "twice, unmarked"),
        (build_incident("open"), (Kind.FLAPPING, Kind.FLAPPING), "twice, unmarked"),
        (build_incident("resolved"), (Kind.BEGIN, Kind.END, Kind.END), "twice, unmarked"),
        (build_incident("open", tenant="other"), (Kind.BEGIN,), "is not routed to it"),
    ],
)
def test_what_is_wrong_is_seen(incident: dict[str, Any], kinds: tuple[Kind, ...], wrong: str) -> None:
    (violation,) = check(incident, *kinds)
    assert wrong in violation


def test_a_marked_repeat_is_not_wrong() -> None:
    assert check(build_incident("open"), Kind.BEGIN, Kind.BEGIN, marked=True) == []


def test_parts_that_ended_are_not_active() -> None:
    incident = build_incident("open")
    incident["alerts"][0]["parts"] = [
        {"labels": {"instance": "a"}, "resolved_at": None},
        {"labels": {"instance": "b"}, "resolved_at": "2026-03-01T12:30:00Z"},
    ]
    assert list_active_parts([incident]) == {("IT_FAILS", "shop", "a"): "7"}


@pytest.mark.skipif(COMPILER is None, reason="no C compiler, to build the simulated clock")
def test_the_simulated_clock_is_fast_and_sleeps_are_not(tmp_path: Path) -> None:
    clock = SimulatedClock(tmp_path, 1000, timedelta(hours=5))
    script = (
        "import time; a, b = time.time(), time.monotonic(); time.sleep(0.2);"
        "c, d = time.time(), time.monotonic(); print(a, (c - a) / (d - b))"
    )
    before = clock.now()
    printed = subprocess.run(
        [sys.executable, "-c", script], env=clock.environment, capture_output=True, text=True, check=True
    ).stdout
    started, speed = map(float, printed.split())
    assert before.timestamp() <= started <= clock.now().timestamp()
    assert 900 < speed < 1100
