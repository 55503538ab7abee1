"""One try at delivery, and what follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.errors import DeliveryError
from firstcause.plugins.timeouts import OverdueError, call, described

if TYPE_CHECKING:
    from firstcause.core.model import Notification
    from firstcause.hookspecs.types import Notifier

FIRST_WAIT = 1.0
LONGEST_WAIT = 300.0


@dataclass(frozen=True)
class Outcome:
    """error None: delivered, and reference is the receiver's word for it."""

    reference: str | None = None
    error: str | None = None
    permanent: bool = False
    retry_after: float | None = None


def attempt(notifier: Notifier, notification: Notification) -> Outcome:
    """Let a notifier try, within its time. Never raises."""
    try:
        said = call(lambda: notifier.send(notification), notifier.timeout, f"notifier {notifier.name}")
    except DeliveryError as error:
        return Outcome(error=str(error), permanent=error.permanent, retry_after=_wait(error.retry_after))
    except OverdueError:
        return Outcome(error=f"no answer within {notifier.timeout:g} s")
    except Exception as error:  # noqa: BLE001 - a notifier is a stranger's code
        return Outcome(error=described(error))
    # Delivered is delivered, whatever a stranger's code returns as the reference.
    return Outcome(reference=str(said) if isinstance(said, str | int) else None)


def _wait(asked: object) -> float | None:
    """The wait that the receiver asked for; None where the notifier made no number of seconds of it."""
    return asked if isinstance(asked, int | float) and not math.isnan(asked) else None


@dataclass(frozen=True)
class Again:
    """Try again in `wait` seconds with the notifier at `position`, which then had `attempts` tries."""

    wait: float
    position: int
    attempts: int


def after_failure(
    outcome: Outcome, *, position: int, attempts: int, notifiers: int, tries: int
) -> Again | None:
    """What to do after a failed try, None to give up.

    attempts: tries that this notifier had before this one; tries: how many each may have. The wait doubles;
    a notifier that cannot, or had its tries, hands over to the next of the route at once.
    """
    if not outcome.permanent and attempts + 1 < tries:
        wait = outcome.retry_after if outcome.retry_after is not None else FIRST_WAIT * 2**attempts
        return Again(min(max(wait, 0.0), LONGEST_WAIT), position, attempts + 1)
    if position + 1 < notifiers:
        return Again(0.0, position + 1, 0)
    return None
