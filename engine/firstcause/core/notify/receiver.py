"""What one notifier of one route has told its people about an incident. Each change gives a new value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime  # noqa: TC003 - the store parses attempts by their annotations
from enum import StrEnum
from typing import TYPE_CHECKING

from firstcause.core.notification import NotifyReason

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ATTEMPTS_KEPT = 20
"""Attempts in doubt that are kept for each receiver: the first, and the latest ones."""

_REPEATABLE_REASONS = frozenset({NotifyReason.FIRST, NotifyReason.RESOLVED})
"""Reasons that can be queued a second time while an earlier message with the same content is in doubt."""


class Knowledge(StrEnum):
    """What the receiver was last told for certain."""

    OPEN = "open"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Attempt:
    """An attempt that may have delivered a message: it is under way, or its answer did not arrive.

    message_id: the row of the outbox.
    """

    message_id: int
    reason: NotifyReason
    at: datetime
    text: str


@dataclass(frozen=True)
class ReceiverState:
    """What the people behind one notifier of one route know of an incident.

    knows: what they were last told for certain, None for nothing.
    fault: the root that this message named.
    attempts: since then, the oldest first. They leave it in doubt what the receiver knows.
    refused: the error of the last message, if the receiver refused it for good; None if not.
    receipts: for a notifier with several receivers: who has the message `receipts_for` -> reference.
    """

    knows: Knowledge | None = None
    fault: str | None = None
    attempts: tuple[Attempt, ...] = ()
    refused: str | None = None
    receipts_for: int | None = None
    receipts: Mapping[str, str] = field(default_factory=dict)


def may_think_open(state: ReceiverState) -> bool:
    """Whether the receiver knows, or may know, that the incident is open, and not that it is resolved.

    Such a receiver has to be notified of the end.
    """
    return state.knows is Knowledge.OPEN or any(
        attempt.reason is not NotifyReason.RESOLVED for attempt in state.attempts
    )


def find_repeated_attempts(
    state: ReceiverState, message_id: int, reason: NotifyReason
) -> tuple[Attempt, ...]:
    """Find the attempts in doubt that a message would repeat."""
    return tuple(
        attempt
        for attempt in state.attempts
        if attempt.message_id == message_id or (attempt.reason is reason and reason in _REPEATABLE_REASONS)
    )


def begin_attempt(state: ReceiverState, attempt: Attempt) -> ReceiverState:
    """Record that a message is about to be sent. If firstcause is killed from here on, it is in doubt."""
    attempts = (*state.attempts, attempt)
    if len(attempts) > MAX_ATTEMPTS_KEPT:
        attempts = (attempts[0], *attempts[-(MAX_ATTEMPTS_KEPT - 1) :])
    return replace(state, attempts=attempts)


def record_delivered(reason: NotifyReason, fault: str) -> ReceiverState:
    """Return the state of a receiver that has a message for certain. fault: the root that it named."""
    knows = Knowledge.RESOLVED if reason is NotifyReason.RESOLVED else Knowledge.OPEN
    return ReceiverState(knows, fault)


def record_failed(
    state: ReceiverState,
    message_id: int,
    *,
    maybe_delivered: bool,
    refused: str | None,
    receipts: Mapping[str, str],
) -> ReceiverState:
    """Record that the attempt which began last has failed.

    maybe_delivered: whether the message may have arrived all the same.
    refused: the error if the receiver refused the message for good, None if a retry may help.
    receipts: who behind the notifier has the message already.
    """
    kept = receipts or (state.receipts if state.receipts_for == message_id else {})
    return replace(
        state,
        attempts=state.attempts if maybe_delivered else state.attempts[:-1],
        refused=refused,
        receipts_for=message_id if kept else None,
        receipts=kept,
    )


def record_late_failure(
    state: ReceiverState, reason: NotifyReason, error: str, *, is_told_otherwise: bool
) -> ReceiverState:
    """Record that a message which the receiver's service had accepted was never delivered.

    is_told_otherwise: whether another message told the receiver that the incident is open.
    """
    knows: Knowledge | None = state.knows
    if reason is NotifyReason.RESOLVED:
        knows = Knowledge.OPEN
    elif not is_told_otherwise and knows is Knowledge.OPEN:
        knows = None
    return replace(state, knows=knows, refused=error)


def merge_states(first: ReceiverState, second: ReceiverState) -> ReceiverState:
    """Merge what a receiver knows of two incidents that are one now: open, if it knows one as open."""
    leading, other = (second, first) if second.knows is Knowledge.OPEN else (first, second)
    return replace(
        leading,
        knows=leading.knows or other.knows,
        fault=leading.fault or other.fault,
        attempts=tuple(sorted((*first.attempts, *second.attempts), key=lambda attempt: attempt.at)),
        refused=leading.refused or other.refused,
    )
