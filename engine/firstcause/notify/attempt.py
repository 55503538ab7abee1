"""One attempt at delivery, and what follows from its result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.errors import DeliveryError
from firstcause.plugins.timeouts import CallTimeoutError, call_with_timeout, describe_error

if TYPE_CHECKING:
    from firstcause.core.model import Notification
    from firstcause.hookspecs.types import Notifier

INITIAL_BACKOFF_S = 1.0
MAX_BACKOFF_S = 300.0


@dataclass(frozen=True)
class AttemptResult:
    """The result of one attempt.

    reference: the id that the receiver gave the message, None if it gave none.
    error: None if the message was delivered.
    permanent: whether another attempt with this notifier cannot help.
    retry_after: seconds that the receiver asked to wait, None if it did not.
    """

    reference: str | None = None
    error: str | None = None
    permanent: bool = False
    retry_after: float | None = None


def attempt(notifier: Notifier, notification: Notification) -> AttemptResult:
    """Let a notifier send a message within its timeout. Never raises."""
    try:
        reference = call_with_timeout(
            lambda: notifier.send(notification), notifier.timeout, f"notifier {notifier.name}"
        )
    except DeliveryError as error:
        return AttemptResult(
            error=str(error), permanent=error.permanent, retry_after=_parse_retry_after(error.retry_after)
        )
    except CallTimeoutError:
        return AttemptResult(error=f"no answer within {notifier.timeout:g} s")
    except Exception as error:  # noqa: BLE001 - a notifier is code of others
        return AttemptResult(error=describe_error(error))
    # The message is delivered, whatever the notifier returns as the reference.
    return AttemptResult(reference=str(reference) if isinstance(reference, str | int) else None)


def _parse_retry_after(value: object) -> float | None:
    """Return the wait that the receiver asked for in seconds; None if the notifier did not set a number."""
    return value if isinstance(value, int | float) and not math.isnan(value) else None


@dataclass(frozen=True)
class Retry:
    """Try again in `delay_s` seconds with the notifier at `position` of the route.

    attempts: that this notifier had by then.
    """

    delay_s: float
    position: int
    attempts: int


def plan_retry(
    result: AttemptResult, *, position: int, attempts: int, notifiers: int, max_attempts: int
) -> Retry | None:
    """Plan what to do after a failed attempt; None to give up.

    position: of the notifier in the route. notifiers: how many the route has.
    attempts: that this notifier had before the failed one. max_attempts: for each notifier.

    The wait doubles with each attempt. After a permanent error, or after its last attempt, a notifier hands
    over to the next one of the route at once.
    """
    if not result.permanent and attempts + 1 < max_attempts:
        delay_s = result.retry_after if result.retry_after is not None else INITIAL_BACKOFF_S * 2**attempts
        return Retry(min(max(delay_s, 0.0), MAX_BACKOFF_S), position, attempts + 1)
    if position + 1 < notifiers:
        return Retry(0.0, position + 1, 0)
    return None
