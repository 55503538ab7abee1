"""Sends by Apprise, one service after the other. No word of the library's gets out: URLs hold secrets."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apprise

from firstcause import DeliveryError, DeliveryTracker, NotifyReason, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from firstcause import Notification
    from firstcause_apprise.config import Config

_STATUS_PATTERN = re.compile(r"\berror[=: ]+(\d{3})\b")
_SYSLOG_SOCKET = Path("/dev/log")
_ZERO_WIDTH_SPACE = "\u200b"
_MENTION_PATTERN = re.compile(r"@(?=\S)|<(?=[!@#]|/?at\b)", re.IGNORECASE)
"""Where Discord, Slack, Teams and those like them begin a mention of a person, a group or a channel."""

_CLIENT_ERRORS = range(400, 500)
_RETRYABLE_STATUSES = frozenset({408, 425, 429})
_NOTIFY_TYPES = {
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.INFO: apprise.NotifyType.INFO,
}


@dataclass(frozen=True)
class Service:
    """One receiver. name: what it may be called in an error; key: unique, without secrets."""

    key: str
    name: str
    client: apprise.Apprise
    is_local_syslog: bool = False


class Sender:
    """Sends to each service; remembers which of them has the message. ValueError where a URL is none."""

    def __init__(self, config: Config) -> None:
        # It logs what it cannot send, and where to.
        logging.getLogger("apprise").propagate = False
        self._timeout = config.timeout
        self._delivered = DeliveryTracker()
        self.services = list(_load_services(config))
        if not self.services:
            raise ValueError("none of the urls has the tag; see [plugins.apprise] tag")

    def send(self, notification: Notification) -> None:
        """DeliveryError where a service did not take it."""
        delivered = self._delivered.receipts_for(notification)
        failures = []
        for service in self.services:
            if service.key not in delivered:
                try:
                    self._notify_service(service, notification)
                    delivered[service.key] = service.name
                except DeliveryError as error:
                    failures.append(error)
        if failures:
            raise _combine_failures(failures, len(self.services), delivered)

    def _notify_service(self, service: Service, notification: Notification) -> None:
        if service.is_local_syslog and not _SYSLOG_SOCKET.exists():
            # The library reports success: the C library drops what has no receiver.
            raise DeliveryError(
                f"{service.name}: this machine has no {_SYSLOG_SOCKET}, so nobody receives what is sent "
                "there; start its syslog daemon, or name another service",
                permanent=True,
            )
        with service.client.notify(
            title=defuse_mentions(notification.subject),
            body=defuse_mentions(notification.body),
            notify_type=choose_notify_type(notification),
            body_format=apprise.NotifyFormat.TEXT,
            timeout=self._timeout,
        ) as result:
            if not result:
                raise _build_error(service.name, result)


def defuse_mentions(text: str) -> str:
    """Put an invisible character into what a chat would take for a mention, such as @everyone or <!channel>.

    What an error says comes from anywhere, and must not wake everybody. A mail address is a mention too: of
    "x@here.example", Apprise takes "@here" for one where Discord is sent Markdown.
    """
    return _MENTION_PATTERN.sub(lambda match: f"{match[0]}{_ZERO_WIDTH_SPACE}", text)


def choose_notify_type(notification: Notification) -> apprise.NotifyType:
    """What Apprise colours a message by."""
    if notification.reason is NotifyReason.RESOLVED:
        return apprise.NotifyType.SUCCESS
    return _NOTIFY_TYPES[notification.severity]


def _load_services(config: Config) -> Iterator[Service]:
    for entry_number, url in enumerate(config.urls, 1):
        parsed = apprise.AppriseConfig()
        parsed.add_config(url.get_secret_value(), format="text")
        services = list(parsed.services())
        if not services:
            raise ValueError(f"entry {entry_number} of urls is not a URL that Apprise can send to")
        for service in build_client(services).find(tag=config.tag or "all"):
            if service.overflow_mode is apprise.OverflowMode.UPSTREAM:
                # A service refuses what is too long for it; the head of a message is its better half.
                service.overflow_mode = apprise.OverflowMode.TRUNCATE
            name = f"{service.service_name} (entry {entry_number})"
            is_local_syslog = str(getattr(service, "protocol", "")) == "syslog"
            yield Service(str(entry_number), name, build_client([service]), is_local_syslog)


def build_client(services: list[Any]) -> apprise.Apprise:
    client = apprise.Apprise()
    for service in services:
        client.add(service)
    return client


def _build_error(name: str, result: apprise.AppriseResult) -> DeliveryError:
    """Describe a failure in our own words; the library's may hold secrets."""
    if result.status is apprise.AppriseResultStatus.TIMEOUT:
        return DeliveryError(f"{name} gave no answer in time", maybe_delivered=True)
    matches = (_STATUS_PATTERN.search(entry.message) for entry in result.logs())
    status = next((int(match[1]) for match in matches if match), None)
    if status is None:
        # The library does not say which of the two.
        return DeliveryError(f"{name} was not reached or did not take it", maybe_delivered=True)
    permanent = status in _CLIENT_ERRORS and status not in _RETRYABLE_STATUSES
    return DeliveryError(f"{name} answered {status}", permanent=permanent)


def _combine_failures(
    failures: list[DeliveryError], service_count: int, delivered: Mapping[str, str]
) -> DeliveryError:
    retryable = [error for error in failures if not error.permanent]
    affected = f" ({len(failures)} of {service_count} services)" if service_count > 1 else ""
    return DeliveryError(
        f"{(retryable or failures)[0]}{affected}",
        permanent=not retryable,
        maybe_delivered=any(error.maybe_delivered for error in failures),
        receipts=delivered,
    )
