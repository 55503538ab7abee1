"""The kit for tests of plugins, used as a plugin's author uses it."""

from __future__ import annotations

import smtplib
import types
from typing import TYPE_CHECKING

import httpx
import pytest

from firstcause import DeliveryError, Notification, Notifier, Probe, Reading, Status, SuppliedFact, hookimpl
from firstcause.errors import FirstcauseError
from firstcause.testing import (
    FakeClock,
    Host,
    HttpSink,
    SmtpSink,
    http_sink,
    make_notification,
    plugin_host,
    smtp_sink,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["http_sink", "plugin_host", "smtp_sink"]


def module(**hooks: object) -> types.ModuleType:
    made = types.ModuleType("firstcause_mine")
    vars(made).update(hooks)
    return made


def test_a_report_is_an_incident_and_a_message(plugin_host: Callable[..., Host]) -> None:
    @hookimpl
    def firstcause_facts() -> list[SuppliedFact]:
        return [SuppliedFact("weather", {"rain": True}, id="sky")]

    host = plugin_host(module(firstcause_facts=firstcause_facts))
    incident = host.report("SHOP_CLOSED", tenant="acme")
    assert (incident["root"]["code"], incident["status"]) == ("SHOP_CLOSED", "open")
    host.recorded.failures.append(DeliveryError("busy", retry_after=10))
    assert host.deliver("1m") == []
    (notification,) = host.deliver("10m")
    assert (notification.code, notification.tenant) == ("SHOP_CLOSED", "acme")
    assert host.states[1].usage["firstcause_facts"].calls > 0


def test_a_problem_fails_the_test_unless_it_is_expected(plugin_host: Callable[..., Host]) -> None:
    @hookimpl
    def firstcause_probes() -> list[Probe]:
        return [Probe("p", "c", lambda: Reading(status=Status.UP), "C_DOWN", interval=0)]

    plugin = module(firstcause_probes=firstcause_probes)
    with pytest.raises(FirstcauseError, match="mine: firstcause_probes returned a Probe with wrong fields"):
        plugin_host(plugin)
    assert len(plugin_host(plugin, strict=False).problems) == 1


def test_the_sinks_keep_what_they_get(
    http_sink: HttpSink,
    smtp_sink: SmtpSink,
) -> None:
    http_sink.status = 202
    assert httpx.post(f"{http_sink.url}/x", json={"a": 1}).status_code == 202
    (request,) = http_sink.requests
    assert (request.method, request.path, request.json) == ("POST", "/x", {"a": 1})
    with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client:
        client.sendmail("a@example.org", ["b@example.org"], "Subject: hello\r\n\r\nyou")
    assert [mail["Subject"] for mail in smtp_sink.mails] == ["hello"]


def test_a_notification_and_the_clock_are_made_for_a_test() -> None:
    notification: Notification = make_notification(title="It broke", tags={"a": "b"})
    assert (notification.title, notification.tags) == ("It broke", {"a": "b"})
    assert Notifier("n", lambda _notification: None).send(notification) is None
    clock = FakeClock()
    began = clock.now
    assert (clock.advance("5m") - began).total_seconds() == 300
