"""The daemon did not run for hours: what it says when it is back, and what does not count meanwhile."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.core.model import Status
from firstcause.core.reading import Reading
from firstcause.daemon.supervisor import Daemon
from support.firstcause_process import wait_until
from support.scenario_app import START, Phone, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from firstcause.core.downtime import Downtime

    Stages = Callable[..., Stage]

CODE = "TWILIO_API_FAILURE"
MINUTE, HOUR = 60.0, 3600.0
ROUTES = [
    {"name": "crew", "notifiers": ["crew"], "escalate_to": "boss", "escalate_after": 600},
    {"name": "boss", "notifiers": ["boss"], "escalation_only": True},
]


def make_stage(stages: Stages, **settings: Any) -> Stage:
    notify = {"group_wait": 0, "routes": ROUTES, "repeat_interval": HOUR}
    stage = stages(Phone("crew"), Phone("boss"), notify=notify, **settings)
    stage.components = {}
    return stage


def stop_and_start(stage: Stage, stopped_at: float, started_at: float) -> Downtime:
    """Let the daemon run until a time, and again from another one on."""
    stage.app.daemon_runs.record_alive(stage.time(stopped_at))
    stage.restart()
    downtime = stage.app.daemon_runs.begin_run(stage.time(started_at))
    assert downtime is not None
    assert downtime.duration_s == started_at - stopped_at
    return downtime


def test_the_downtime_does_not_count_as_unanswered(stages: Stages) -> None:
    stage = make_stage(stages)
    crew, boss = stage.phones
    assert stage.app.daemon_runs.begin_run(stage.time(0)) is None
    stage.report(0, CODE)
    stage.deliver(0)
    stop_and_start(stage, 5 * MINUTE, 5 * HOUR)
    stage.deliver(5 * HOUR + 4 * MINUTE)
    assert (crew.summaries, boss.summaries) == ([f"first {CODE}"], [])
    stage.deliver(5 * HOUR + 5 * MINUTE)
    assert (crew.summaries, boss.summaries) == ([f"first {CODE}"], [f"escalated {CODE}"])
    stop_and_start(stage, 5 * HOUR + 6 * MINUTE, 9 * HOUR)
    stage.deliver(9 * HOUR + 48 * MINUTE)
    assert crew.summaries == [f"first {CODE}"]
    stage.deliver(9 * HOUR + 49 * MINUTE)
    assert crew.summaries == [f"first {CODE}", f"reminder {CODE}"]


def test_the_downtime_does_not_count_as_unreported(stages: Stages) -> None:
    stage = make_stage(stages, intake={"resolve_after": HOUR})
    stage.app.daemon_runs.begin_run(stage.time(0))
    stage.report(0, CODE)
    stop_and_start(stage, 10 * MINUTE, 5 * HOUR)

    def sweep(at: float) -> list[dict[str, Any]]:
        stage.app.maintenance.sweep(stage.time(at))
        stage.app.pipeline.triage_all(stage.time(at))
        return stage.incidents("open")

    assert sweep(5 * HOUR)
    assert sweep(5 * HOUR + 49 * MINUTE)
    assert not sweep(5 * HOUR + 50 * MINUTE)


def test_what_is_still_open_is_said_in_one_message(stages: Stages) -> None:
    stage = make_stage(stages)
    crew, _boss = stage.phones
    stage.app.daemon_runs.begin_run(stage.time(0))
    for code in ("A", "B", "C", "D"):
        stage.report(0, code)
    stage.deliver(0)
    assert len(crew.received) == 4
    ids = {incident["root"]["code"]: incident["id"] for incident in stage.incidents()}
    stage.app.incidents.acknowledge(ids["A"], stage.time(60), "ann", None)
    downtime = stop_and_start(stage, 5 * MINUTE, 5 * HOUR)
    now = 5 * HOUR + 5
    stage.app.notifications.report_restart(downtime, stage.time(now))
    stage.deliver(now)
    (digest,) = crew.received[4:]
    assert digest.reason.value == "digest"
    assert set(digest.incidents) == {ids["B"], ids["C"], ids["D"]}
    for incident_id in ids.values():
        timeline = stage.app.incidents.get_incident(incident_id)["timeline"]
        assert "firstcause did not run for 4 h 55 min" in [line["what"] for line in timeline]
    stage.deliver(now + MINUTE)
    assert len(crew.received) == 5


def test_what_is_over_is_in_the_same_message(stages: Stages) -> None:
    stage = make_stage(stages)
    crew, _boss = stage.phones
    stage.app.daemon_runs.begin_run(stage.time(0))
    stage.report(0, "A", "B", "C")
    stage.deliver(0)
    downtime = stop_and_start(stage, 5 * MINUTE, 5 * HOUR)
    now = 5 * HOUR + 5
    stage.take(now, stage.event(now, "C", resolved=True))
    stage.app.notifications.report_restart(downtime, stage.time(now))
    stage.deliver(now)
    (digest,) = crew.received[3:]
    assert [line for line in digest.body.splitlines() if "resolved by now" in line]
    assert len(digest.incidents) == 3


def test_one_open_incident_is_one_reminder(stages: Stages) -> None:
    stage = make_stage(stages)
    stage.app.daemon_runs.begin_run(stage.time(0))
    stage.report(0, CODE)
    stage.deliver(0)
    downtime = stop_and_start(stage, 5 * MINUTE, 5 * HOUR)
    stage.app.notifications.report_restart(downtime, stage.time(5 * HOUR))
    stage.deliver(5 * HOUR)
    assert stage.phones[0].summaries == [f"first {CODE}", f"reminder {CODE}"]
    assert stage.phones[0].received[1].text.startswith("STILL OPEN after 5 h: ")


# The daemon itself, with the real clock: it stopped five hours ago.


class PastDaemon:
    """A daemon that stopped five hours ago, and what it left in the store."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.stopped = (datetime.now(UTC) - START).total_seconds() - 5 * HOUR
        stage.components = {"twilio": "twilio"}
        stage.app.daemon_runs.begin_run(stage.time(self.stopped - HOUR))

    def look(self, status: Status) -> None:
        """Let the probe see this, a minute before the end."""
        code = None if status is Status.UP else CODE
        self.stage.readings["twilio"] = Reading(status=status, code=code)
        self.stage.app.health.check(self.stage.time(self.stopped - 60))
        self.stage.deliver(self.stopped - 60)

    @contextlib.contextmanager
    def run_next(self, status: Status) -> Iterator[None]:
        """Run the next daemon, whose probe sees this."""
        stage = self.stage
        stage.app.daemon_runs.record_alive(stage.time(self.stopped))
        stage.restart()
        stage.readings["twilio"] = Reading(status=status, code=None if status is Status.UP else CODE)
        daemon = Daemon(stage.app)
        daemon.start()
        try:
            yield
        finally:
            daemon.stop()


@pytest.fixture
def past(stages: Stages) -> PastDaemon:
    return PastDaemon(make_stage(stages))


def test_what_recovered_meanwhile_is_told_as_resolved_and_nothing_else(past: PastDaemon) -> None:
    crew, boss = past.stage.phones
    past.look(Status.DOWN)
    assert crew.summaries == [f"first {CODE}"]
    with past.run_next(Status.UP):
        wait_until(lambda: not past.stage.incidents("open"), "the end of the incident")
        wait_until(lambda: len(crew.received) > 1, "the message")
    assert crew.summaries == [f"first {CODE}", f"resolved {CODE}"]
    assert boss.summaries == []


def test_what_is_still_down_is_said_once_and_nobody_is_blamed_for_the_downtime(past: PastDaemon) -> None:
    crew, boss = past.stage.phones
    past.look(Status.DOWN)
    with past.run_next(Status.DOWN):
        wait_until(lambda: len(crew.received) > 1, "the message")
    assert crew.summaries[:2] == [f"first {CODE}", f"reminder {CODE}"]
    assert boss.summaries == []


def test_a_message_that_waits_is_not_sent_before_what_waits_is_triaged(past: PastDaemon) -> None:
    stage = past.stage
    past.look(Status.UP)
    stage.report(past.stopped - 30, "A")
    at = past.stopped - 10
    stage.app.intake.accept([stage.event(at, "A", resolved=True)], stage.time(at))
    with past.run_next(Status.UP):
        wait_until(lambda: not stage.incidents("open"), "the end of the incident")
    assert stage.phones[0].summaries == []
    (incident,) = stage.incidents()
    lines = [line["what"] for line in stage.app.incidents.get_incident(incident["id"])["timeline"]]
    assert "route crew: nobody was notified" in lines
