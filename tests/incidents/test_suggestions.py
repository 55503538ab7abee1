"""What mended it the last time: told wherever the incident is told of. On both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage

DAY = 86_400.0
FIX = "raised the limit of connections to 500"


def mended(stage: Stage, at: float, fix: str | None, code: str = "POOL_EXHAUSTED") -> str:
    stage.report(at, code, service="api")
    number = str(stage.incident()["id"])
    stage.app.incidents.resolve(number, stage.time(at + 600), fix=fix, actor="anna")
    return number


def suggested(stage: Stage) -> list[dict[str, Any]]:
    """Of the one open incident."""
    (opened,) = stage.incidents("open")
    return list(opened["suggestions"])


def test_what_mended_it_is_told_the_next_time(stages: Callable[..., Stage]) -> None:
    stage = stages()
    first = mended(stage, 0, FIX)
    stage.report(3 * DAY, "POOL_EXHAUSTED", service="api")
    stage.deliver(3 * DAY + 60)
    opened = {each["root"]["code"]: each for each in stage.incidents("open")}
    found = opened["POOL_EXHAUSTED"]
    (suggestion,) = found["suggestions"]
    assert (suggestion["fix"], suggestion["incidents"]) == (FIX, [first])
    assert suggestion["because"] == "used once, 2 days before, and it held"
    assert 0.4 < suggestion["confidence"] < 0.5
    assert stage.app.incidents.get_incident(found["id"])["suggestions"] == found["suggestions"]
    report = stage.app.incidents.render_debug_report(found["id"], "text", stage.time(3 * DAY + 60))
    assert f"WHAT HELPED BEFORE\n  - {FIX} (used once, 2 days before, and it held; incident {first}" in report
    said = next(each for each in stage.phones[0].received if each.incident_id == found["id"])
    assert f"Last time: {FIX} (used once, 2 days before, and it held)" in said.body
    assert stage.app.incidents.get_incident(first)["suggestions"] == []
    stage.report(4 * DAY, "OTHER", service="api")
    stage.deliver(4 * DAY + 60)
    (other,) = (each for each in stage.incidents("open") if each["root"]["code"] == "OTHER")
    assert other["suggestions"] == []


def test_a_fix_that_did_not_hold_is_not_told(stages: Callable[..., Stage]) -> None:
    """A site sets how long that is."""
    stage = stages()
    mended(stage, 0, "restarted it")
    stage.report(7200, "POOL_EXHAUSTED", service="api")
    assert suggested(stage) == []
    patient = stages(rules={"thresholds": {"fix_held_for": 60}})
    (known,) = suggested(patient)
    assert known["fix"] == "restarted it"


def test_secrets_in_a_fix_are_not_told(stages: Callable[..., Stage]) -> None:
    stage = stages()
    mended(stage, 0, "set password=hunter2secret in the config")
    stage.report(3 * DAY, "POOL_EXHAUSTED", service="api")
    (known,) = suggested(stage)
    assert "hunter2secret" not in known["fix"]
