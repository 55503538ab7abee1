"""What a notifier is told besides the texts: where the root cause is, whose it is, and the incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause import Enrichment

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage


def test_a_notification_says_where_the_root_is_and_whose(stages: Callable[..., Stage]) -> None:
    routes = [{"name": "on call", "notifiers": ["phone"]}]
    stage = stages(notify={"group_wait": 30, "routes": routes, "link": "https://errors.example.org"})
    stage.enrichment = lambda event: Enrichment(tags={"team": "payments"}) if event.tenant else None
    stage.report(0, "PAYMENT_DECLINED_TOO_OFTEN", tenant="acme", service="checkout", tags={"zone": "b"})
    stage.deliver(60)
    (notification,) = stage.phones[0].received
    assert (notification.service, notification.tenant) == ("checkout", "acme")
    assert notification.tags == {"zone": "b", "team": "payments"}
    assert notification.owner == "payments"
    assert notification.link == f"https://errors.example.org/incidents/{notification.incident_id}"
    assert notification.incident["root"]["code"] == "PAYMENT_DECLINED_TOO_OFTEN"
    assert [alert["count"] for alert in notification.incident["alerts"]] == [1]
    assert "incident" not in notification.model_dump()


def test_the_component_is_that_of_the_catalog(stages: Callable[..., Stage]) -> None:
    stage = stages()
    stage.report(0, "TWILIO_API_FAILURE")
    stage.deliver(60)
    (notification,) = stage.phones[0].received
    assert (notification.component, notification.tenant, notification.owner) == ("twilio", None, None)
    assert notification.link is None
