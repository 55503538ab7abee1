from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.config import Budget
from firstcause.core.model import Severity, Status
from firstcause.health import error_budgets
from firstcause.store import event_counts

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.core.reading import Reading
    from firstcause.store.database import Database
    from support.scenario_app import Stage


@pytest.fixture
def now(stage: Stage) -> datetime:
    return stage.time(0)


@pytest.fixture
def counted(stage: Stage, now: datetime) -> Database:
    database = stage.app.database
    came = {("LOST", Severity.CRITICAL): 40, ("LOST", Severity.INFO): 5, ("SLOW", Severity.CRITICAL): 7}
    with database.write() as conn:
        event_counts.record(conn, came, now - timedelta(hours=1))
        event_counts.record(conn, {("LOST", Severity.CRITICAL): 1000}, now - timedelta(days=31))
    return database


def look(database: Database, now: datetime, **budget: Any) -> Reading:
    (probe,) = error_budgets.create_budget_probes(
        {"sms": Budget.model_validate(budget)}, database, lambda: now
    )
    assert (probe.name, probe.component) == ("sms", budget.get("component", "platform"))
    return probe.check()


def test_what_is_left_of_the_errors_that_may_come(counted: Database, now: datetime) -> None:
    reading = look(counted, now, errors=100, component="twilio")
    assert (reading.data, reading.detail) == ({"budget_left": 53}, "53 of 100 errors in 30 d are left")
    assert look(counted, now, errors=100, codes=["LOST"]).data == {"budget_left": 60}
    assert look(counted, now, errors=100, severities=["INFO", "CRITICAL"]).data == {"budget_left": 48}
    assert look(counted, now, errors=2000, window="60d").data == {"budget_left": 953}


def test_a_spent_one_is_zero_and_says_nothing_of_how_things_are(counted: Database, now: datetime) -> None:
    reading = look(counted, now, errors=10)
    assert (reading.status, reading.data) == (Status.UP, {"budget_left": 0})


def test_that_it_will_be_spent_is_foretold(stages: Any) -> None:
    stage: Stage = stages(health={"budgets": {"sms": {"errors": 400, "component": "twilio"}}})
    stage.components = {}
    app = stage.app
    budget = app.settings.health.budgets
    for number in range(40):
        at = number * 300.0
        stage.report(at, *["LOST"] * 6, severity="CRITICAL")
        own = error_budgets.create_budget_probes(budget, app.database, lambda at=at: stage.time(at + 1))  # type: ignore[misc]
        vars(app.health)["probes"] = {probe.name: probe for probe in own}
        app.health.check(stage.time(at + 1))
    foretold = next(each for each in stage.incidents() if each["root"]["code"] == "PREDICTED_FAILURE")
    whole = app.incidents.get_incident(foretold["id"])
    assert whole["root"]["service"] == "twilio"
    assert "sms.budget_left" in str(whole)
