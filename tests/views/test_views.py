"""What the page asks, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from firstcause.errors import NotFoundError
from firstcause.views.charts import TimeSpan
from firstcause.views.views import Views
from support.scenario_app import START, Stage, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stage(store_url: str, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(store_url, tmp_path)
    yield made
    made.app.close()


def test_cascades_are_folded_and_the_most_urgent_comes_first(stage: Stage) -> None:
    views = Views(stage.app)
    quiet = views.change_token()
    stage.report(0, "NEVER_HEARD_OF", tenant="acme")
    for tenant in ("acme", "bolt"):
        stage.report(1, "SMS_DELIVERY_FAILURE", "SMS_DELIVERY_FAILURE", tenant=tenant)
    stage.report(2, "TWILIO_API_FAILURE")
    assert views.change_token() != quiet
    first, second = views.load_overview(views.change_token())["open"]
    assert (first["root"]["code"], first["events"], first["priority"]) == ("TWILIO_API_FAILURE", 5, "P0")
    (cascade,) = first["cascades"]
    assert (cascade["code"], cascade["events"], cascade["alerts"]) == ("SMS_DELIVERY_FAILURE", 4, 2)
    assert first["first_step"]
    assert (second["root"]["code"], second["first_step"]) == ("NEVER_HEARD_OF", None)
    assert {each["id"] for each in views.load_tenant("acme")["open"]} == {first["id"], second["id"]}
    assert [each["id"] for each in views.load_tenant("bolt")["open"]] == [first["id"]]
    with pytest.raises(NotFoundError, match="no company 'zeta'"):
        views.load_tenant("zeta")


def test_what_fixed_it_before_is_shown_when_it_comes_again(stage: Stage) -> None:
    views = Views(stage.app)
    stage.report(0, "TWILIO_API_FAILURE")
    stage.app.incidents.resolve("1", stage.time(10), fix="put the credentials back", actor="anna")
    stage.report(7200, "TWILIO_API_FAILURE")
    found = views.load_incident("2", stage.time(7201), views.change_token())
    assert [(each["id"], each["fix"]) for each in found["similar"]] == [("1", "put the credentials back")]
    assert found["button"] == "Test twilio connection now"
    assert [each["id"] for each in views.load_overview(views.change_token())["ended"]] == ["1"]
    assert views.load_entry("TWILIO_API_FAILURE")["seen"].last_fix == "put the credentials back"
    assert [(each["actor"], each["about"]) for each in views.list_audit_entries(9)] == [
        ("anna", "incident 1")
    ]
    assert "TWILIO_API_FAILURE" in views.count_by_code()


def test_how_every_component_is_was_and_changed(stage: Stage) -> None:
    views = Views(stage.app)
    for at, status in ((0, Status.UP), (60, Status.UP), (120, Status.DOWN)):
        stage.probe(at, status, latency_ms=10.0 + at)
    (twilio,) = views.load_components()
    assert (twilio["status"], twilio["latencies"]) == ("DOWN", [10.0, 70.0, 130.0])
    assert (twilio["changed"]["before"], twilio["changed"]["after"]) == ("UP", "DOWN")
    span = TimeSpan(START - timedelta(minutes=1), START + timedelta(minutes=5))
    (strip,) = views.charts.load_health(span)["strips"]
    assert (round(strip["up"], 2), [run["status"] for run in strip["runs"]]) == (0.67, ["UP", "DOWN"])
    assert [each["kind"] for each in views.charts.list_marks(span)] == ["incident"]
    number = views.charts.load_metric("twilio.latency_ms", span)
    assert (number["count"], number["max"], number["ahead"]) == (3, 130.0, [])


def test_rule_files_are_read_by_the_names_that_verdicts_give(stage: Stage) -> None:
    views = Views(stage.app)
    for each in views.list_rules()["rules"]:
        line = views.read_rule_file(each["file"]).splitlines()[each["line"] - 1]
        assert each["id"] in line
    with pytest.raises(NotFoundError, match="no rule file"):
        views.read_rule_file("../config.toml")
