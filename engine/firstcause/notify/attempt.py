"""One try at delivery, and what follows from it."""

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
    """error None: delivered, and reference is the receiver's word for it."""

    reference: str | None = None
    error: str | None = None
    permanent: bool = False
    retry_after: float | None = None


def attempt(notifier: Notifier, notification: Notification) -> AttemptResult:
    """Let a notifier try, within its time. Never raises."""
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
    except Exception as error:  # noqa: BLE001 - a notifier is a stranger's code
        return AttemptResult(error=describe_error(error))
    # Delivered is delivered, whatever a stranger's code returns as the reference.
    return AttemptResult(reference=str(reference) if isinstance(reference, str | int) else None)


def _parse_retry_after(value: object) -> float | None:
    """The wait that the receiver asked for; None where the notifier made no number of seconds of it."""
    return value if isinstance(value, int | float) and not math.isnan(value) else None


@dataclass(frozen=True)
class Retry:
    """Try again in `wait` seconds with the notifier at `position`, which then had `attempts` tries."""

    delay_s: float
    position: int
    attempts: int


def plan_retry(
    result: AttemptResult, *, position: int, attempts: int, notifiers: int, max_attempts: int
) -> Retry | None:
    """What to do after a failed try, None to give up.

    attempts: tries that this notifier had before this one; tries: how many each may have. The wait doubles;
    a notifier that cannot, or had its tries, hands over to the next of the route at once.
    """
    if not result.permanent and attempts + 1 < max_attempts:
        delay_s = result.retry_after if result.retry_after is not None else INITIAL_BACKOFF_S * 2**attempts
        return Retry(min(max(delay_s, 0.0), MAX_BACKOFF_S), position, attempts + 1)
    if position + 1 < notifiers:
        return Retry(0.0, position + 1, 0)
    return None
