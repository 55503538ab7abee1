"""Two instances that fire under one name are one alert with two parts, and each ends for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from firstcause.core.grouping.parts import MAX_SHOWN_PARTS

if TYPE_CHECKING:
    from support.scenario_app import Stage

DAY = 86_400


def fire(stage: Stage, seconds: float, **labels: str) -> None:
    """A report of a state, as Alertmanager sends it: its time is when the state began."""
    stage.take(
        seconds,
        stage.event(0, "DISK_FULL", service="node", labels=labels, announces_end=True),
    )


def end(stage: Stage, seconds: float, **labels: str) -> None:
    stage.take(
        seconds,
        stage.event(seconds, "DISK_FULL", service="node", labels=labels, announces_end=True, resolved=True),
    )


def parts(stage: Stage) -> list[tuple[dict[str, str], bool]]:
    (alert,) = stage.incident()["alerts"]
    return [(part["labels"], part["resolved_at"] is None) for part in alert["parts"]]


def status(stage: Stage) -> str:
    return str(stage.incident()["status"])


def test_the_end_of_one_instance_leaves_the_other(stage: Stage) -> None:
    fire(stage, 0, instance="db1")
    fire(stage, 0, instance="db2")
    end(stage, 60, instance="db1")
    fire(stage, 70, instance="db2")
    assert (status(stage), parts(stage)) == (
        "open",
        [({"instance": "db1"}, False), ({"instance": "db2"}, True)],
    )
    end(stage, 120, instance="db2")
    assert status(stage) == "resolved"


def test_the_end_in_one_environment_is_not_that_of_another(stage: Stage) -> None:
    """Whatever the format: the tags that tell parts apart are policy."""
    stage.report(0, "JOB_FAILED", tags={"environment": "production"})
    stage.report(1, "JOB_FAILED", tags={"environment": "staging"})
    stage.report(60, "JOB_FAILED", tags={"environment": "staging"}, resolved=True)
    assert status(stage) == "open"
    stage.report(90, "JOB_FAILED", tags={"environment": "production"}, resolved=True)
    assert status(stage) == "resolved"


def test_an_end_without_labels_is_the_end_of_all_parts(stage: Stage) -> None:
    stage.report(0, "JOB_FAILED", tags={"pod": "a"})
    stage.report(1, "JOB_FAILED", tags={"pod": "b"})
    stage.report(60, "JOB_FAILED", resolved=True)
    assert status(stage) == "resolved"


def test_a_label_that_never_counts_makes_no_part(stage: Stage) -> None:
    fire(stage, 0, instance="db1", replica="a")
    end(stage, 60, instance="db1", replica="b")
    assert status(stage) == "resolved"


def test_tags_that_tell_nothing_apart_make_no_parts(stage: Stage) -> None:
    stage.report(0, "JOB_FAILED", tags={"user": "1"})
    stage.report(1, "JOB_FAILED", tags={"user": "2"})
    assert stage.incident()["alerts"][0]["parts"] == []


def test_more_parts_than_are_shown_are_told_apart_all_the_same(stage: Stage) -> None:
    count = MAX_SHOWN_PARTS + 30
    for number in range(count):
        fire(stage, number, instance=f"db{number}")
    (alert,) = stage.incident()["alerts"]
    assert (len(alert["parts"]), alert["further_parts"], alert["count"]) == (MAX_SHOWN_PARTS, 30, count)
    for number in range(count - 1):
        end(stage, 200 + number, instance=f"db{number}")
    assert status(stage) == "open"
    stage.restart()
    end(stage, 400, instance=f"db{count - 1}")
    assert status(stage) == "resolved"


def test_a_part_that_begins_takes_the_place_of_one_that_ended(stage: Stage) -> None:
    for number in range(MAX_SHOWN_PARTS):
        fire(stage, 0, instance=f"db{number}")
    end(stage, 10, instance="db3")
    fire(stage, 20, instance="new")
    assert ({"instance": "new"}, True) in parts(stage)
    assert len(parts(stage)) == MAX_SHOWN_PARTS


def test_a_part_that_nobody_reports_ends_and_the_others_go_on(stage: Stage) -> None:
    stage.report(0, "JOB_FAILED", tags={"pod": "a"})
    stage.report(1, "JOB_FAILED", tags={"pod": "b"})
    stage.report(DAY - 10, "JOB_FAILED", tags={"pod": "b"})
    sweep(stage, DAY + 60)
    assert parts(stage) == [({"pod": "a"}, False), ({"pod": "b"}, True)]
    sweep(stage, 2 * DAY)
    assert status(stage) == "resolved"


def test_what_is_said_once_and_ended_by_its_sender_goes_on_in_between(stage: Stage) -> None:
    stage.take(0, stage.event(0, "DISK_FULL", reports_end=True))
    sweep(stage, 2 * DAY)
    assert status(stage) == "open"
    stage.take(2 * DAY + 60, stage.event(2 * DAY + 60, "DISK_FULL", reports_end=True, resolved=True))
    assert status(stage) == "resolved"


def sweep(stage: Stage, seconds: float) -> None:
    stage.app.maintenance.sweep(stage.time(seconds))
    stage.app.pipeline.triage_all(stage.time(seconds))


def test_the_report_and_the_command_name_the_parts_that_go_on(stage: Stage) -> None:
    fire(stage, 0, instance="db1", job="node")
    fire(stage, 0, instance="db2", job="node")
    end(stage, 60, instance="db1", job="node")
    report = stage.app.incidents.render_debug_report("1", "text", stage.time(100))
    assert "DISK_FULL: 1 of 2 are active: instance db2" in report


@pytest.mark.parametrize("fields", [{}, {"labels": {"instance": "a"}}])
def test_events_of_an_alert_with_parts_and_without_count_together(
    stage: Stage, fields: dict[str, Any]
) -> None:
    stage.report(0, "JOB_FAILED")
    stage.report(1, "JOB_FAILED", labels={"instance": "b"})
    stage.report(2, "JOB_FAILED", **fields)
    (alert,) = stage.incident()["alerts"]
    assert alert["count"] == 3 == sum(part["count"] for part in alert["parts"])
