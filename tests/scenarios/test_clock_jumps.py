"""A clock that is set forward or back by hours, while errors come and go, and while messages wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from firstcause.core.model import Status
from firstcause.core.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage

HOUR = 3600.0
REDIS = "REDIS_CONNECTION_ERROR"


@pytest.fixture
def app(stages: Callable[..., Stage]) -> Stage:
    stage = stages()
    stage.components = {"redis": "redis"}
    return stage


def look(stage: Stage, at: float, redis: Status = Status.UP) -> dict[str, Any]:
    code = None if redis is Status.UP else REDIS
    stage.readings["redis"] = Reading(status=redis, latency_ms=2, code=code)
    found = stage.app.health.check(stage.time(at))
    stage.deliver(at)
    return found


@pytest.mark.parametrize("jump", [-5 * HOUR, -2 * HOUR, 5 * HOUR, 26 * HOUR])
def test_what_breaks_after_a_jump_is_told_and_ends(app: Stage, jump: float) -> None:
    for at in (0, 10, 20):
        look(app, at)
    look(app, 30, Status.DOWN)
    look(app, 65, Status.DOWN)
    look(app, 70)
    assert app.phones[0].summaries == [f"first {REDIS}", f"resolved {REDIS}"]
    well = look(app, 80 + jump)
    assert not well["comparison"]["is_regression"]
    assert well["time_since_last_good"] >= 0
    assert look(app, 90 + jump)["last_known_good"] == well["snapshot_id"]
    for second in (100, 110, 140, 150):
        down = look(app, second + jump, Status.DOWN)
    assert down["comparison"]["regressions"]
    (incident,) = app.incidents("open")
    assert incident["root"]["code"] == REDIS
    assert app.phones[0].summaries[2:] == [f"first {REDIS}"]
    back = look(app, 200 + jump)
    assert app.incidents("open") == []
    assert app.phones[0].summaries[3:] == [f"resolved {REDIS}"]
    assert look(app, 210 + jump)["last_known_good"] == back["snapshot_id"]


def test_what_waits_when_the_clock_is_set_back_does_not_wait_for_hours(app: Stage) -> None:
    look(app, 0)
    look(app, 10, Status.DOWN)
    assert app.phones[0].summaries == []
    look(app, 20 - 3 * HOUR, Status.DOWN)
    look(app, 60 - 3 * HOUR, Status.DOWN)
    assert app.phones[0].summaries == [f"first {REDIS}"]


def test_a_clock_that_was_wrong_for_a_moment_leaves_nothing_behind(app: Stage) -> None:
    look(app, 0)
    look(app, 5 * HOUR, Status.DOWN)
    look(app, 5 * HOUR + 10)
    for at in (20, 30, 40, 50, 90):
        look(app, at, Status.DOWN)
    (incident,) = app.incidents("open")
    assert incident["root"]["code"] == REDIS
    assert f"first {REDIS}" in app.phones[0].summaries
    for at in (100, 110, 150):
        look(app, at)
    assert app.incidents("open") == []
    points = app.app.health.history.get_trend("health", 60, app.time(200))
    assert points["last"] == 1


def test_two_clocks_that_differ_by_seconds_are_no_jump(app: Stage, caplog: pytest.LogCaptureFixture) -> None:
    look(app, 30)
    look(app, 0)
    assert "clock moved back" not in caplog.text
    look(app, -2 * HOUR)
    assert "System clock moved back by 2 h" in caplog.text
