"""A new release of a service is a change that explains what came after it, once and for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from firstcause.core.model import Status
from firstcause.core.reading import Reading
from support.scenario_app import NO_STORMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage

HOUR = 3600.0


def well(stage: Stage, at: float) -> None:
    stage.readings["twilio"] = Reading(status=Status.UP)
    stage.app.health.check(stage.time(at))


def sent(stage: Stage, at: float, release: str, severity: str = "CRITICAL", **fields: Any) -> None:
    told = {"message": f"boom in {severity.lower()}", "severity": severity, "service": "checkout"}
    stage.take(at, stage.event(at, None, **(told | {"details": {"release": release}} | fields)))


def changes(stage: Stage, at: float) -> list[dict[str, Any]]:
    number = next(each["id"] for each in stage.incidents("open") if each["root"]["service"] == "checkout")
    report = stage.app.incidents.build_debug_report(number, stage.time(at))
    return [each.model_dump() for each in report.changes]


@pytest.mark.parametrize(
    "fields", [{}, {"details": {}, "tags": {"release": "1.4.2"}}, {"details": {"service.version": "1.4.2"}}]
)
def test_it_is_what_changed_before_the_incident(stage: Stage, fields: dict[str, Any]) -> None:
    sent(stage, 0, "1.4.1", "INFO")
    well(stage, 60)
    sent(stage, HOUR, "1.4.2", **fields)
    (found,) = changes(stage, HOUR)
    assert (found["category"], found["component"], found["name"]) == (
        "deployment", "checkout", "checkout.release",
    )  # fmt: skip
    assert (found["before"], found["after"], found["since"]) == ("1.4.1", "1.4.2", stage.time(HOUR))
    assert found["message"] == "checkout.release was 1.4.1 and is 1.4.2"
    assert found["likelihood"] > 0.8
    text = stage.app.incidents.render_debug_report(stage.incidents("open")[0]["id"], "text", stage.time(HOUR))
    assert "checkout.release was 1.4.1 and is 1.4.2" in text


def test_a_restart_makes_nothing_new(stage: Stage) -> None:
    sent(stage, 0, "1.4.1", "INFO")
    well(stage, 60)
    sent(stage, 120, "1.4.2", "INFO")
    stage.restart()
    well(stage, HOUR)
    stage.restart()
    sent(stage, 2 * HOUR, "1.4.2")
    assert changes(stage, 2 * HOUR) == []


def test_the_first_release_of_a_service_is_no_change_nor_is_another_services(
    stages: Callable[..., Stage],
) -> None:
    stage = stages(rules=NO_STORMS)
    well(stage, 0)
    sent(stage, 60, "1.4.1")
    sent(stage, 61, "9", "INFO", service="mail")
    sent(stage, 62, "10", "INFO", service="mail")
    (found,) = changes(stage, 62)
    assert (found["name"], found["likelihood"] < 0.8) == ("mail.release", True)


def test_without_a_good_state_the_releases_of_the_day_are_told(stage: Stage) -> None:
    sent(stage, 0, "1.4.0", "INFO")
    sent(stage, 2 * HOUR, "1.4.1", "INFO")
    sent(stage, 30 * HOUR, "1.4.2")
    (found,) = changes(stage, 30 * HOUR)
    assert (found["before"], found["after"]) == ("1.4.1", "1.4.2")


def test_rules_see_it_at_once_as_a_change(stage: Stage) -> None:
    sent(stage, 0, "1.4.1", "INFO")
    sent(stage, 60, "1.4.2")
    told = [fact for row in stage.rows("observation") for fact in row["facts"] if fact["kind"] == "change"]
    assert {(fact["category"], fact["component"], fact["before"], fact["after"]) for fact in told} == {
        ("deployment", "checkout", "1.4.1", "1.4.2")
    }


def test_it_explains_a_regression_and_says_what_to_put_back(stage: Stage) -> None:
    sent(stage, 0, "1.4.1", "INFO")
    well(stage, 60)
    for number in range(40):
        sent(stage, HOUR + number, "1.4.2", "WARNING", message="payment lost")
    stage.readings["twilio"] = Reading(status=Status.UP)
    found = stage.app.health.check(stage.time(HOUR + 60))["comparison"]
    assert found["is_regression"]
    assert found["changes"][0]["name"] == "checkout.release"
    assert found["changes"][0]["likelihood"] > 0.5
    assert "put checkout.release back to what it was (1.4.1)" in found["suggested_rollback"]
