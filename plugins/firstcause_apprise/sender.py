"""Sends by Apprise, one service after the other. No word of the library's gets out: URLs hold secrets."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import apprise

from firstcause import Delivered, DeliveryError, NotifyReason, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firstcause import Notification
    from firstcause_apprise.config import Config

_STATUS = re.compile(r"\berror[=: ]+(\d{3})\b")
_REFUSED = range(400, 500)
_TRY_AGAIN = frozenset({408, 425, 429})
_TYPES = {
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.INFO: apprise.NotifyType.INFO,
}


@dataclass(frozen=True)
class Service:
    """One receiver. name: what it may be called in an error; key: unique, without secrets."""

    key: str
    name: str
    sends: apprise.Apprise


class Sender:
    """Sends to each service; remembers which of them has the message. ValueError where a URL is none."""

    def __init__(self, config: Config) -> None:
        # It logs what it cannot send, and where to.
        logging.getLogger("apprise").propagate = False
        self._timeout = config.timeout
        self._delivered = Delivered()
        self.services = list(_services(config))
        if not self.services:
            raise ValueError("none of the urls has the tag; see [plugins.apprise] tag")

    def send(self, notification: Notification) -> None:
        """DeliveryError where a service did not take it."""
        told = self._delivered.of(notification)
        failures = []
        for service in self.services:
            if service.key not in told:
                try:
                    self._tell(service, notification)
                    told[service.key] = service.name
                except DeliveryError as error:
                    failures.append(error)
        if failures:
            raise _failure(failures, len(self.services))

    def _tell(self, service: Service, notification: Notification) -> None:
        with service.sends.notify(
            title=notification.subject,
            body=notification.body,
            notify_type=kind(notification),
            body_format=apprise.NotifyFormat.TEXT,
            timeout=self._timeout,
        ) as result:
            if not result:
                raise _reason(service.name, result)


def kind(notification: Notification) -> apprise.NotifyType:
    """What Apprise colours a message by."""
    if notification.reason is NotifyReason.RESOLVED:
        return apprise.NotifyType.SUCCESS
    return _TYPES[notification.severity]


def _services(config: Config) -> Iterator[Service]:
    for number, url in enumerate(config.urls, 1):
        parsed = apprise.AppriseConfig()
        parsed.add_config(url.get_secret_value(), format="text")
        found = list(parsed.services())
        if not found:
            raise ValueError(f"entry {number} of urls is no URL that Apprise can send to")
        for service in apprise_of(found).find(tag=config.tag or "all"):
            if service.overflow_mode is apprise.OverflowMode.UPSTREAM:
                # A service refuses what is too long for it; the head of a message is its better half.
                service.overflow_mode = apprise.OverflowMode.TRUNCATE
            name = f"{service.service_name} (entry {number})"
            yield Service(str(number), name, apprise_of([service]))


def apprise_of(services: list[Any]) -> apprise.Apprise:
    made = apprise.Apprise()
    for service in services:
        made.add(service)
    return made


def _reason(name: str, result: apprise.AppriseResult) -> DeliveryError:
    """In words of ours: only a status is taken out of what the library says."""
    if result.status is apprise.AppriseResultStatus.TIMEOUT:
        return DeliveryError(f"{name} gave no answer in time")
    found = (_STATUS.search(entry.message) for entry in result.logs())
    status = next((int(match[1]) for match in found if match), None)
    if status is None:
        return DeliveryError(f"{name} was not reached or did not take it")
    permanent = status in _REFUSED and status not in _TRY_AGAIN
    return DeliveryError(f"{name} answered {status}", permanent=permanent)


def _failure(failures: list[DeliveryError], services: int) -> DeliveryError:
    passing = [error for error in failures if not error.permanent]
    whom = f" ({len(failures)} of {services} services)" if services > 1 else ""
    return DeliveryError(f"{(passing or failures)[0]}{whom}", permanent=not passing)
