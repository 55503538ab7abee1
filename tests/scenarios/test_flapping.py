"""An error that ends and returns again and again: told once, in its rhythm, and again when it holds still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.scenario_app import Stage

CODE = "TWILIO_API_FAILURE"
SWEEP_S = 60


class Signal:
    """An error that is on or off, while the daemon's sweep runs once a minute."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.now = 0

    def hold(self, seconds: int, *, on: bool) -> None:
        """Begin or end the error, and let that time pass."""
        self.stage.take(self.now, self.stage.event(self.now, CODE, resolved=not on))
        self.wait(seconds)

    def wait(self, seconds: int) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, (self.now // SWEEP_S + 1) * SWEEP_S)
            if self.now % SWEEP_S == 0:
                self.stage.app.maintenance.sweep(self.stage.time(self.now))
                self.stage.app.pipeline.triage_all(self.stage.time(self.now))
            self.stage.deliver(self.now)

    def flap(self, times: int, on_s: int, off_s: int) -> None:
        for _ in range(times):
            self.hold(on_s, on=True)
            self.hold(off_s, on=False)


@pytest.fixture
def signal(stage: Stage) -> Signal:
    return Signal(stage)


@pytest.mark.parametrize(
    ("on_s", "off_s", "rhythm"),
    [(50, 50, "about every 100 s, on for 50 s"), (90, 210, "about every 5 min, on for 90 s")],
)
def test_two_hours_of_flapping_are_told_once_and_end_with_one_message(
    stage: Stage, signal: Signal, on_s: int, off_s: int, rhythm: str
) -> None:
    times = 7200 // (on_s + off_s)
    signal.flap(times, on_s, off_s)
    incident = stage.incident()
    assert incident["status"] == "open"
    assert incident["flapping"]["times"] == times
    assert incident["flapping"]["text"].endswith(rhythm)
    told = stage.phones[0].received
    assert [message.reason.value for message in told] == ["first", "resolved"] * 2 + ["flapping"]
    assert told[-1].text.startswith("FLAPPING, CRITICAL: ")
    assert rhythm in told[-1].text
    signal.wait(900)
    assert stage.incidents("open") == []
    assert stage.phones[0].summaries[5:] == [f"resolved {CODE}"]
    assert f"{times} times in" in stage.phones[0].received[-1].text
    lines = [line["what"] for line in stage.incident()["timeline"]]
    assert sum(line.startswith("flapping: 3 times in") for line in lines) == 1
    assert len(lines) < 15, "the timeline does not list each time"


def test_what_flapped_and_then_lasts_is_told_as_steady(stage: Stage, signal: Signal) -> None:
    signal.flap(5, 50, 50)
    signal.hold(540, on=True)
    assert stage.incident()["flapping"] is not None
    signal.wait(120)
    assert stage.incident()["flapping"] is None
    assert stage.phones[0].summaries[4:] == [f"flapping {CODE}", f"steady {CODE}"]
    assert "no longer flapping: it lasts" in [line["what"] for line in stage.incident()["timeline"]]
    signal.hold(60, on=False)
    assert stage.phones[0].summaries[6:] == [f"resolved {CODE}"]


def test_what_returns_after_it_held_still_begins_anew(stage: Stage, signal: Signal) -> None:
    signal.flap(5, 50, 50)
    signal.wait(700)
    signal.hold(120, on=True)
    signal.hold(60, on=False)
    reasons = ("flapping", "resolved", "first", "resolved")
    assert stage.phones[0].summaries[4:] == [f"{reason} {CODE}" for reason in reasons]


def test_a_restart_keeps_that_it_flaps_and_who_acknowledged_it(stage: Stage, signal: Signal) -> None:
    signal.flap(3, 50, 50)
    stage.app.incidents.acknowledge("1", stage.time(signal.now), "ann", None)
    stage.restart()
    signal.flap(3, 50, 50)
    incident = stage.incident()
    assert (incident["flapping"]["times"], incident["acknowledged_by"]) == (6, "ann")
    assert stage.phones[0].summaries[4:] == [f"flapping {CODE}"]
    stage.restart()
    signal.wait(900)
    assert stage.phones[0].summaries[5:] == [f"resolved {CODE}"]


def test_while_the_root_is_away_its_incident_is_not_taken_over(stage: Stage, signal: Signal) -> None:
    signal.flap(3, 50, 400)
    assert stage.incident()["flapping"]["times"] == 3
    stage.report(signal.now, "SMS_DELIVERY_FAILURE")
    roots = {incident["id"]: incident["root"]["code"] for incident in stage.incidents("open")}
    assert roots == {"1": CODE, "2": "SMS_DELIVERY_FAILURE"}
    signal.hold(50, on=True)
    assert [incident["root"]["code"] for incident in stage.incidents("open")] == [CODE]


def test_a_person_ends_what_flaps(stage: Stage, signal: Signal) -> None:
    signal.flap(4, 50, 50)
    stage.app.incidents.resolve("1", stage.time(signal.now), fix="new cable", actor="ann")
    signal.wait(60)
    assert stage.phones[0].summaries[4:] == [f"flapping {CODE}", f"resolved {CODE}"]
    signal.hold(60, on=True)
    assert [incident["status"] for incident in stage.incidents()] == ["open", "resolved"]
