"""Storms in a system that nobody described: one incident, one message, and what speaks against joining."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage


def _roots(stage: Stage) -> list[tuple[str, str | None]]:
    return sorted((one["root"]["code"], one["root"]["service"]) for one in stage.incidents("open"))


def test_unknown_errors_at_unknown_services_and_tenants_are_one_message(stages: Callable[..., Stage]) -> None:
    stage = stages()
    for service in range(6):
        events = [
            stage.event(service, f"ODD_{code}", service=f"service-{service}", tenant=tenant)
            for code in "ABCDEF"
            for tenant in ("acme", "bolt", "cora")
        ]
        stage.take(service, *events)
    stage.deliver(31)
    assert len(stage.incidents("open")) == 1
    assert len(stage.phones[0].received) == 1
    stage.deliver(600)
    assert len(stage.phones[0].received) == 1


def test_texts_lead_from_the_callers_to_a_full_disk_under_another_name(stages: Callable[..., Stage]) -> None:
    stage = stages()
    refused = 'connection to server at "pg-main" (10.0.3.17), port 5432 failed: Connection refused'
    full = "ERROR:  could not extend file: No space left on device"
    stage.take(0, stage.event(0, message=refused, service="stock"))
    stage.take(2, stage.event(2, message="502 Bad Gateway for url: http://stock:8080/", service="web"))
    stage.take(4, stage.event(4, message=full, service="postgres", details={"host": "pg-main"}))
    assert _roots(stage) == [("POSTGRES_DISK_FULL", "postgres")]
    assert {alert["service"] for alert in stage.incident()["alerts"]} == {"stock", "web", "postgres"}


def test_two_full_disks_at_unknown_services_are_two(stages: Callable[..., Stage]) -> None:
    stage = stages()
    for service in ("ledger", "archive"):
        stage.report(0, *["DISK_FULL"] * 3, service=service, severity="CRITICAL")
    assert _roots(stage) == [("DISK_FULL", "archive"), ("DISK_FULL", "ledger")]


def test_an_error_of_long_before_is_no_part_of_the_storm(stages: Callable[..., Stage]) -> None:
    stage = stages()
    stage.report(0, "ODD_A", service="mail")
    stage.report(7200, "ODD_B", service="web")
    assert len(stage.incidents("open")) == 2


def test_an_alert_rule_is_recognised_by_its_name(stages: Callable[..., Stage]) -> None:
    stage = stages()
    stage.take(0, stage.event(0, "TARGET_DOWN", message="TargetDown", service="web"))
    assert stage.incident()["root"]["code"] == "HOST_UNREACHABLE"
