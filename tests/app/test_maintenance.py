"""What the store holds, the oldest first. On both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.scenario_app import Stage


def test_all_or_what_came_since_without_drills(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW", tenant="acme")
    stage.app.notifications.send_drill("TWILIO_API_FAILURE", None, stage.time(10))
    stage.app.pipeline.triage_all(stage.time(10))
    stage.report(100, "DISK_FULL", service="db")
    all_ = list(stage.app.maintenance.export_events(None))
    assert [(each["code"], each.get("tenant")) for each in all_] == [
        ("REDIS_SLOW", "acme"),
        ("DISK_FULL", None),
    ]
    assert [each["code"] for each in stage.app.maintenance.export_events(stage.time(50))] == ["DISK_FULL"]
    whole = list(stage.app.maintenance.export_incidents(None))
    assert [each["root"]["code"] for each in whole] == ["REDIS_SLOW", "TWILIO_API_FAILURE", "DISK_FULL"]
    assert [each["drill"] for each in whole] == [False, True, False]
    assert list(stage.app.maintenance.export_incidents(stage.time(50))) == whole[2:]
    assert whole[0] == stage.app.incidents.get_incident(whole[0]["id"])
