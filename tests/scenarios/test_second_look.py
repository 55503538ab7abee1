"""A probe that fails once looks again before anybody hears of it."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

import pytest

from firstcause import Probe, hookimpl
from firstcause.core.model import Status
from firstcause.core.reading import Reading
from firstcause.daemon.supervisor import Daemon
from support.firstcause_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from support.scenario_app import Stage

CODE = "TWILIO_API_FAILURE"
UP = Reading(status=Status.UP, detail="well", latency_ms=2, data={"calls": 7})
DOWN = Reading(status=Status.DOWN, detail="no answer within 4 s", code=CODE)
SLOW = Reading(status=Status.DEGRADED, detail="answered in 900 ms", code=CODE, momentary=True)
FULL = Reading(status=Status.DEGRADED, detail="the disk is full", code=CODE)


def look(stage: Stage, at: float, reading: Reading, suspected: Collection[str] = ()) -> bool:
    """One scheduled look; whether the probe has to look again."""
    again = stage.app.health.report_scheduled_readings({"twilio": reading}, suspected, stage.time(at))
    stage.app.pipeline.triage_all(stage.time(at))
    stage.deliver(at)
    return "twilio" in again


def show(stage: Stage) -> tuple[str, str]:
    answer = stage.app.system_state.readings["twilio"][1]
    return answer.status.value, answer.detail


@pytest.mark.parametrize("failure", [DOWN, SLOW])
def test_one_failed_look_is_shown_and_nothing_else(stage: Stage, failure: Reading) -> None:
    assert not look(stage, 0, UP)
    for at in (60, 120, 180):
        assert look(stage, at, failure), "each is a first one"
        assert show(stage) == ("UP", f"seen once, looking again: {failure.detail}")
        snapshot = stage.app.health.take_snapshot(stage.time(at + 1))
        assert snapshot["status"] == "UP"
        assert snapshot["infrastructure"]["twilio"]["detail"].startswith("seen once, looking again")
        assert not look(stage, at + 5, UP)
        assert show(stage) == ("UP", "well")
    stage.deliver(300)
    assert stage.incidents() == []
    assert stage.phones[0].received == []


def test_the_second_failed_look_counts(stage: Stage) -> None:
    assert not look(stage, 0, UP)
    assert look(stage, 60, DOWN)
    assert stage.incidents() == []
    assert not look(stage, 65, DOWN)
    assert show(stage) == ("DOWN", DOWN.detail)
    assert stage.incident()["root"]["code"] == CODE
    assert not look(stage, 120, DOWN), "it is known to be down"
    assert not look(stage, 180, UP)
    assert stage.incidents("open") == []


def test_the_first_look_after_a_start_is_no_exception(stage: Stage) -> None:
    assert look(stage, 0, DOWN)
    assert not stage.app.health.has_all_readings()
    assert not look(stage, 5, DOWN)
    assert len(stage.incidents("open")) == 1
    stage.restart()
    assert not look(stage, 70, DOWN), "its alert is active"


def test_what_is_measured_or_reported_by_others_needs_no_second_look(stage: Stage) -> None:
    look(stage, 0, UP)
    assert not look(stage, 60, FULL)
    assert len(stage.incidents("open")) == 1
    assert not look(stage, 90, UP)
    assert not look(stage, 120, DOWN, suspected={"twilio"})
    assert len(stage.incidents("open")) == 1


def test_a_check_by_hand_counts_at_once(stage: Stage) -> None:
    look(stage, 0, UP)
    stage.readings["twilio"] = DOWN
    answer = stage.app.health.check(stage.time(60), ["twilio"])
    assert answer["infrastructure"]["twilio"]["status"] == "DOWN"
    assert len(stage.incidents("open")) == 1


def test_a_second_look_can_be_switched_off(stages: Callable[..., Stage]) -> None:
    stage = stages(rules={"thresholds": {"probe_second_look": 0}})
    look(stage, 0, UP)
    assert not look(stage, 60, DOWN)
    assert len(stage.incidents("open")) == 1


# The daemon itself.


class Script:
    """A check that returns these readings, one each; the last one stays."""

    def __init__(self, *readings: Reading) -> None:
        self.readings = [*readings]
        self.calls = 0

    def check(self) -> Reading:
        self.calls += 1
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]


def register(stage: Stage, scripts: dict[str, Script]) -> None:
    @hookimpl
    def firstcause_probes() -> list[Probe]:
        return [
            Probe(name, name, script.check, CODE, interval=0.5, timeout=5) for name, script in scripts.items()
        ]

    module: Any = types.ModuleType("scripted")
    module.firstcause_probes = firstcause_probes
    stage.app.plugins.register(module, "scripted")


def test_twelve_probes_that_fail_once_each_wake_nobody_and_the_broken_one_does(
    stages: Callable[..., Stage],
) -> None:
    stage = stages(rules={"thresholds": {"probe_second_look": 0.1}})
    stage.components = {}
    hiccups = {f"probe {number}": Script(UP, DOWN, UP) for number in range(12)}
    broken = Script(UP, DOWN)
    register(stage, hiccups | {"broken": broken})
    daemon = Daemon(stage.app)
    daemon.start()
    try:
        wait_until(lambda: all(script.calls >= 5 for script in hiccups.values()), "five looks each")
        wait_until(stage.incidents, "the incident")
    finally:
        daemon.stop()
    assert {alert["service"] for alert in stage.incident()["alerts"]} == {"broken"}
