"""Health from snapshot to snapshot: what is good, what is worse, what did it, and when it ends."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.core.model import Status
from firstcause.core.reading import Reading
from firstcause.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage

MINUTE = 60.0
REGRESSION = "SYSTEM_REGRESSION_DETECTED"


@pytest.fixture
def app(stages: Callable[..., Stage]) -> Stage:
    """Watches Redis and counts companies; its settings are in a file."""
    stage = stages(health={"env_file": "app.env"})
    stage.components = {"redis": "redis", "companies": "companies"}
    write(stage, "REDIS_URL=redis://cache\nTWILIO_ACCOUNT_SID=AC1\n")
    return stage


def write(stage: Stage, text: str) -> None:
    (stage.app.settings.folder / "app.env").write_text(text)
    object.__setattr__(
        stage.app.settings,
        "health",
        stage.app.settings.health.model_copy(update={"env_file": "app.env"}),
    )


def look(stage: Stage, at: float, redis: Status = Status.UP, **companies: Any) -> dict[str, Any]:
    code = None if redis is Status.UP else "REDIS_CONNECTION_ERROR"
    stage.readings["redis"] = Reading(status=redis, latency_ms=2, code=code, data={"version": "7.0"})
    stage.readings["companies"] = Reading(
        status=Status.UP, latency_ms=5, data={"company_count": 40} | companies
    )
    return stage.app.health.check(stage.time(at))


def regressions(found: dict[str, Any]) -> list[str]:
    return [one["name"] for one in found["comparison"]["regressions"]]


def test_up_degraded_down_and_up_again_is_one_incident_with_one_message(app: Stage) -> None:
    first = look(app, 0)
    assert (first["status"], first["last_known_good"], regressions(first)) == ("UP", None, [])
    assert look(app, 1 * MINUTE)["last_known_good"] == first["snapshot_id"]
    degraded = look(app, 2 * MINUTE, Status.DEGRADED)
    assert (degraded["status"], regressions(degraded)) == ("DEGRADED", ["redis"])
    assert degraded["time_since_last_good"] == 1
    down = look(app, 3 * MINUTE, Status.DOWN)
    assert (down["status"], down["time_since_last_good"]) == ("DOWN", 2)
    assert down["message"] == "worse than the last known good state: redis was UP and is DOWN"
    app.deliver(4 * MINUTE)
    incident = app.incident()
    assert incident["root"]["code"] == "REDIS_CONNECTION_ERROR"
    assert {each["code"] for each in incident["alerts"] if each["role"] == "cascade"} == {REGRESSION}
    assert [each.reason.value for each in app.phones[0].received] == ["first"]
    assert regressions(look(app, 5 * MINUTE)) == []
    app.deliver(6 * MINUTE)
    assert app.incident()["status"] == "resolved"
    assert [each.reason.value for each in app.phones[0].received] == ["first", "resolved"]
    assert look(app, 7 * MINUTE)["last_known_good"] == str(int(down["snapshot_id"]) + 1)


def test_what_is_still_down_when_its_supposed_cause_is_well_is_told_of_at_the_next_look(app: Stage) -> None:
    app.components |= {"host": "host"}

    def both(at: float, host: Status, redis: Status) -> None:
        code = None if host is Status.UP else "HOST_CPU_SATURATED"
        app.readings["host"] = Reading(status=host, latency_ms=1, code=code)
        look(app, at, redis)
        app.deliver(at)

    both(0, Status.UP, Status.UP)
    for at in (10, 50):
        both(at, Status.DEGRADED, Status.DOWN)
    assert [each["root"]["code"] for each in app.incidents("open")] == ["HOST_CPU_SATURATED"]
    both(60, Status.UP, Status.DOWN)
    for at in (70, 110):
        both(at, Status.UP, Status.DOWN)
    (incident,) = app.incidents("open")
    assert incident["root"]["code"] == "REDIS_CONNECTION_ERROR"
    assert app.phones[0].summaries[-1] == "first REDIS_CONNECTION_ERROR"
    both(120, Status.UP, Status.UP)
    assert app.incidents("open") == []


def test_a_variable_that_is_lost_is_named_with_the_way_back(app: Stage) -> None:
    look(app, 0)
    write(app, "TWILIO_ACCOUNT_SID=AC1\n")
    found = look(app, MINUTE)
    assert found["status"] == "UP"
    assert [one | {"likelihood": None} for one in found["comparison"]["changes"]] == [
        {"category": "environment", "component": None, "name": "REDIS_URL", "before": "present",
         "after": "absent", "severity": "CRITICAL", "message": "REDIS_URL is no longer set",
         "since": "2026-11-01T03:01:00Z", "rule": "regression-variable-lost", "likelihood": None},
    ]  # fmt: skip
    assert (
        found["comparison"]["suggested_rollback"]
        == "set REDIS_URL again and restart the services that read it"
    )
    incident = app.incident()
    assert incident["root"]["code"] == REGRESSION
    details = app.app.incidents.build_debug_report(incident["id"], app.time(MINUTE)).model_dump_json()
    for word in ("suggested_rollback", "time_since_last_good", "last_known_good", "REDIS_URL"):
        assert word in details
    # It stays a regression, since it began, however often it is looked at; and ends when it is set again.
    later = look(app, 9 * MINUTE)
    assert later["comparison"]["changes"][0]["since"] == "2026-11-01T03:01:00Z"
    write(app, "REDIS_URL=redis://other\nTWILIO_ACCOUNT_SID=AC1\n")
    other = look(app, 10 * MINUTE)
    assert regressions(other) == []
    assert [one["message"] for one in other["comparison"]["changes"]] == ["REDIS_URL has another value"]
    assert app.incident()["status"] == "resolved"


def test_the_change_before_it_is_the_likeliest_cause(app: Stage) -> None:
    look(app, 0)
    write(app, "TWILIO_ACCOUNT_SID=AC1\n")
    look(app, MINUTE)
    found = look(app, 2 * MINUTE, Status.DOWN)
    likely = {one["name"]: one["likelihood"] for one in found["comparison"]["changes"]}
    assert likely["REDIS_URL"] > 0.8
    assert likely["redis"] is None


def test_who_resolves_a_regression_says_that_it_is_meant(app: Stage) -> None:
    look(app, 0)
    write(app, "TWILIO_ACCOUNT_SID=AC1\n")
    meant = look(app, MINUTE)
    app.app.incidents.resolve(app.incident()["id"], app.time(90), fix="we left Redis", actor="ann")
    found = look(app, 2 * MINUTE)
    assert (regressions(found), found["last_known_good"]) == ([], meant["snapshot_id"])
    assert app.app.health.history.get_snapshot(meant["snapshot_id"])["good"] == "ann resolved the regression"
    assert [each["status"] for each in app.incidents()] == ["resolved"]


def test_a_pinned_state_is_what_all_is_compared_with(app: Stage) -> None:
    pinned = look(app, 0)["snapshot_id"]
    look(app, MINUTE)
    app.app.health.history.pin(pinned, app.time(MINUTE), "ann")
    assert look(app, 2 * MINUTE)["last_known_good"] == pinned
    assert look(app, 9 * MINUTE)["time_since_last_good"] == 9
    assert app.app.health.history.unpin(app.time(0), "anna")
    assert look(app, 10 * MINUTE)["time_since_last_good"] == 1
    assert not app.app.health.history.unpin(app.time(0), "anna")


def test_lost_companies_and_slow_answers_are_regressions_and_small_changes_none(app: Stage) -> None:
    look(app, 0)
    assert regressions(look(app, MINUTE, company_count=38)) == []
    assert regressions(look(app, 2 * MINUTE, company_count=20)) == ["companies.company_count"]
    assert regressions(look(app, 3 * MINUTE, answer_ms=1)) == []
    assert regressions(look(app, 4 * MINUTE, answer_ms=500)) == ["companies.answer_ms"]


def test_many_more_errors_are_one_and_a_handful_is_none(app: Stage) -> None:
    look(app, 0)
    app.report(MINUTE, "SMS_SEND_FAILED", "SMS_SEND_FAILED", severity="WARNING")
    assert regressions(look(app, 2 * MINUTE)) == []
    app.report(3 * MINUTE, *["SMS_SEND_FAILED"] * 40, severity="WARNING")
    found = look(app, 4 * MINUTE)
    assert regressions(found) == ["errors"]
    incident = app.incident()
    assert incident["root"]["code"] == "SMS_SEND_FAILED"
    assert {each["code"] for each in incident["alerts"]} == {"SMS_SEND_FAILED", REGRESSION}
    shown = app.app.health.history.get_snapshot(found["snapshot_id"])["errors"]
    assert shown["top"] == [{"code": "SMS_SEND_FAILED", "count": 42}]
    assert shown["warning"] == 42


def test_an_error_that_was_never_seen_before_is_one_where_it_comes_often(app: Stage) -> None:
    look(app, 0)
    app.report(MINUTE, "SEEN_ONCE", *["NEVER_SEEN"] * 12, severity="INFO")
    assert regressions(look(app, 2 * MINUTE)) == ["errors", "NEVER_SEEN"]
    assert app.incidents()[0]["root"]["code"] == "NEVER_SEEN"


def test_what_our_own_probes_say_is_no_rise_of_errors(app: Stage) -> None:
    look(app, 0)
    for number in range(30):
        found = look(app, 10.0 + number, Status.DOWN)
    assert regressions(found) == ["redis"]
    assert app.app.health.history.get_snapshot("latest")["errors"]["critical"] == 0


def test_two_snapshots_side_by_side(app: Stage) -> None:
    first = look(app, 0)["snapshot_id"]
    second = look(app, MINUTE, Status.DOWN)["snapshot_id"]
    found = app.app.health.history.diff(first, second)
    assert (found["is_regression"], [one["name"] for one in found["regressions"]]) == (True, ["redis"])
    back = app.app.health.history.diff(second, first)
    assert (back["is_regression"], [one["after"] for one in back["changes"]]) == (False, ["UP"])
    assert app.app.health.history.diff("good", "latest") == found


def test_what_is_about_to_be_used_up_is_told_before_it_is(app: Stage) -> None:
    app.components = {"disk": "host"}
    for number in range(60):
        share = 0.5 + number * 0.005
        app.readings["disk"] = Reading(status=Status.UP, latency_ms=1, data={"used_share": share})
        app.app.health.check(app.time(number * 5 * MINUTE))
    incident = app.incident()
    assert (incident["root"]["code"], incident["priority"]) == ("PREDICTED_FAILURE", "P2")
    report = app.app.incidents.build_debug_report(incident["id"], app.time(0)).model_dump_json()
    assert "disk.used_share is" in report
    assert "8 times of 10" in report
    asked = app.app.health.history.forecast("disk.used_share", None, 2880, app.time(300 * MINUTE))
    # 0.795 after 295 minutes, 0.06 an hour.
    assert asked["reached_at"] is not None
    assert asked["reached_at"].startswith("2026-11-01T11:20")
    for number in range(60, 90):
        app.readings["disk"] = Reading(status=Status.UP, latency_ms=1, data={"used_share": 0.3})
        app.app.health.check(app.time(number * 5 * MINUTE))
    assert app.incident()["status"] == "resolved"


def test_any_number_over_time(app: Stage) -> None:
    for number in range(10):
        look(app, number * MINUTE, company_count=40 + number)
    app.report(5 * MINUTE, "SMS_SEND_FAILED", severity="WARNING")
    history, end = app.app.health.history, app.time(10 * MINUTE)
    companies = history.get_trend("companies.company_count", 60, end)
    assert [each["value"] for each in companies["points"]] == [float(40 + number) for number in range(10)]
    assert (companies["direction"], round(companies["per_hour"])) == ("up", 60)
    assert [each["value"] for each in history.get_trend("health", 60, end)["points"]] == [1.0] * 10
    for metric in ("errors", "errors.warning", "errors.SMS_SEND_FAILED"):
        found = [each["value"] for each in history.get_trend(metric, 10, end)["points"]]
        assert (len(found), found[5], sum(found)) == (10, 1.0, 1.0), metric
    with pytest.raises(NotFoundError, match=r"'redis\.latncy_ms'; did you mean 'redis\.latency_ms'"):
        history.get_trend("redis.latncy_ms", 60, end)
    with pytest.raises(NotFoundError, match=r"no rule file has a limit for redis\.latency_ms"):
        history.forecast("redis.latency_ms", None, 60, end)


def test_a_component_far_from_its_normal_is_one_and_what_is_usual_at_that_hour_is_none(app: Stage) -> None:
    app.components = {"shop": "shop"}
    chance = random.Random(8)

    def sell(at: float, orders: float, load: float) -> dict[str, Any]:
        numbers = {"orders": orders * chance.uniform(0.9, 1.1), "load": load * chance.uniform(0.9, 1.1)}
        numbers |= {"sessions": 30 * orders * chance.uniform(0.9, 1.1)}
        app.readings["shop"] = Reading(status=Status.UP, latency_ms=5, data=dict(numbers))
        return app.app.health.check(app.time(at))

    for number in range(40):
        assert regressions(sell(number * 5 * MINUTE, 100, 1)) == []
    found = [sell((40 + number) * 5 * MINUTE, 900, 20) for number in range(3)]
    assert regressions(found[-1]) == ["shop"]
    (regression,) = found[-1]["comparison"]["regressions"]
    assert regression["message"].startswith("shop is far from its normal: shop.")
    assert (regression["category"], regression["component"]) == ("unusual", "shop")
    app.app.incidents.resolve(app.incident()["id"], app.time(215 * MINUTE), fix=None, actor="ann")
    # The same, had it been so at this hour of the days before.
    for day in (1, 2):
        for number in range(12):
            sell((day * 1440 + 180 + number * 5) * MINUTE, 900, 20)
    third = 3 * 1440 * MINUTE
    for number in range(36):
        sell(third + number * 5 * MINUTE, 100, 1)
    usual = [sell(third + (180 + number * 5) * MINUTE, 900, 20) for number in range(3)]
    assert "shop" not in regressions(usual[-1])


def test_a_number_beyond_all_that_it_was_is_shown_once_and_wakes_nobody(app: Stage) -> None:
    for number in range(40):
        look(app, number * MINUTE, pages=100 + number % 5)
    app.restart()
    found = look(app, 41 * MINUTE, pages=400)["comparison"]
    (change,) = (one for one in found["changes"] if one["category"] == "extreme")
    assert (change["name"], change["component"]) == ("companies.pages", "companies")
    assert change["message"] == "companies.pages is 400, and was 100 to 104 for long"
    assert not found["is_regression"]
    again = look(app, 42 * MINUTE, pages=900)["comparison"]["changes"]
    assert not [one for one in again if one["category"] == "extreme"]
    assert app.app.incidents.list_incidents() == []


def test_no_value_of_a_setting_is_ever_kept(app: Stage) -> None:
    write(app, "REDIS_URL=redis://:hunter2hunter2@cache\n")
    app.readings["redis"] = Reading(status=Status.DOWN, detail="no way to redis://:hunter2hunter2@cache")
    app.readings["companies"] = Reading(status=Status.UP, data={"url": "redis://:hunter2hunter2@cache"})
    app.app.health.check(app.time(0))
    assert "hunter2hunter2" not in app.everything_stored()
