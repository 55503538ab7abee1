"""One attempt at delivery, and what follows from its result."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from firstcause.errors import DeliveryError
from firstcause.plugins.timeouts import CallTimeoutError, describe_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstcause.core.notification import Notification
    from firstcause.hookspecs.types import Notifier
    from firstcause.notify.notifier_calls import NotifierCalls

log = logging.getLogger("firstcause.notify")

INITIAL_BACKOFF_S = 1.0
MAX_BACKOFF_S = 300.0

MAX_RETRY_AFTER_S = 3600.0
"""Seconds up to which a receiver's wish to wait is granted."""


@dataclass(frozen=True)
class AttemptResult:
    """The result of one attempt.

    reference: the id that the receiver gave the message, None if it gave none.
    found: whether an earlier attempt had delivered the message, so that nothing was sent.
    error: None if the message was delivered.
    permanent: whether another attempt with this notifier cannot help.
    retry_after: seconds that the receiver asked to wait, None if it did not.
    maybe_delivered: whether the message may have arrived in spite of the error.
    receipts: for a notifier with several receivers: those that have the message -> reference.
    """

    reference: str | None = None
    found: bool = False
    error: str | None = None
    permanent: bool = False
    retry_after: float | None = None
    maybe_delivered: bool = False
    receipts: Mapping[str, str] = field(default_factory=dict)


def attempt(
    calls: NotifierCalls, notifier: Notifier, notification: Notification, now: datetime
) -> AttemptResult:
    """Let a notifier send a message within its timeout. Never raises.

    A message in doubt is looked up first, if the notifier can do that.
    """
    try:
        if notification.maybe_repeat and (found := _find_sent(calls, notifier, notification)) is not None:
            return AttemptResult(reference=found, found=True)
        reference = calls.call(notifier, lambda: notifier.send(notification))
    except DeliveryError as error:
        return AttemptResult(
            error=str(error),
            permanent=error.permanent,
            retry_after=_parse_retry_after(error.retry_after, now),
            maybe_delivered=error.maybe_delivered,
            receipts=error.receipts,
        )
    except CallTimeoutError:
        return AttemptResult(error=f"no answer within {notifier.timeout:g} s", maybe_delivered=True)
    except Exception as error:  # noqa: BLE001 - a notifier is code of others
        return AttemptResult(error=describe_error(error), maybe_delivered=True)
    # The message is delivered, whatever the notifier returns as the reference.
    return AttemptResult(reference=str(reference) if isinstance(reference, str | int) else None)


def _find_sent(calls: NotifierCalls, notifier: Notifier, notification: Notification) -> str | None:
    """Look up a message in doubt; None if it was not found, or could not be looked up."""
    find_sent = notifier.find_sent
    if find_sent is None or not notification.attempted_texts:
        return None
    try:
        reference = calls.call(notifier, lambda: find_sent(notification))
    except CallTimeoutError:
        raise
    except Exception as error:  # noqa: BLE001 - a notifier is code of others
        log.warning(
            "incident %s: notifier %s could not look up whether the message was sent: %s",
            notification.incident_id, notifier.name, describe_error(error),
        )  # fmt: skip
        return None
    return reference if isinstance(reference, str) and reference else None


def _parse_retry_after(value: object, now: datetime) -> float | None:
    """Return the seconds that the receiver asked to wait; None if it did not, or in no form of HTTP."""
    if isinstance(value, str):
        text = value.strip()
        value = float(text) if text.isascii() and text.isdigit() else _parse_date(text)
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return max((aware - now).total_seconds(), 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(value)


def _parse_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None


@dataclass(frozen=True)
class Retry:
    """Try again in `delay_s` seconds with the notifier at `position` of the route.

    attempts: that this notifier had by then.
    """

    delay_s: float
    position: int
    attempts: int


def plan_retry(
    result: AttemptResult,
    *,
    position: int,
    attempts: int,
    notifiers: int,
    max_attempts: int,
    hands_over: bool = True,
) -> Retry | None:
    """Plan what to do after a failed attempt; None if all notifiers had their attempts.

    position: of the notifier in the route. notifiers: how many the route has.
    attempts: that this notifier had before the failed one. max_attempts: for each notifier.
    hands_over: whether the next notifier takes over from one that a retry may help. If not, it takes over
        only from one that refuses for good.

    The wait doubles with each attempt. After a permanent error, after its last attempt, or if its receiver
    asks for a longer wait than ours, a notifier hands over to the next one of the route at once.
    """
    has_next = position + 1 < notifiers
    asked_s = result.retry_after or 0.0
    may_retry = not result.permanent and attempts + 1 < max_attempts
    if may_retry and not (has_next and hands_over and asked_s > MAX_BACKOFF_S):
        backoff_s = min(INITIAL_BACKOFF_S * 2.0 ** min(attempts, 30), MAX_BACKOFF_S)
        return Retry(max(backoff_s, min(asked_s, MAX_RETRY_AFTER_S)), position, attempts + 1)
    if has_next and (hands_over or result.permanent):
        return Retry(0.0, position + 1, 0)
    return None
