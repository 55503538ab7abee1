"""What the store holds, the oldest first. On both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.app import export

if TYPE_CHECKING:
    from support.scenario_app import Stage


def test_all_or_what_came_since_without_drills(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW", tenant="acme")
    stage.service.drill("TWILIO_API_FAILURE", None, stage.time(10))
    stage.service.triage_all(stage.time(10))
    stage.report(100, "DISK_FULL", service="db")
    all_ = list(export.export_events(stage.service, None))
    assert [(each["code"], each.get("tenant")) for each in all_] == [
        ("REDIS_SLOW", "acme"),
        ("DISK_FULL", None),
    ]
    assert [each["code"] for each in export.export_events(stage.service, stage.time(50))] == ["DISK_FULL"]
    whole = list(export.export_incidents(stage.service, None))
    assert [each["root"]["code"] for each in whole] == ["REDIS_SLOW", "TWILIO_API_FAILURE", "DISK_FULL"]
    assert [each["drill"] for each in whole] == [False, True, False]
    assert list(export.export_incidents(stage.service, stage.time(50))) == whole[2:]
    assert whole[0] == stage.service.incident(whole[0]["id"])
