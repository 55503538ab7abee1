"""The type of the answer to a sender of events. The API's schema is made of it."""

from __future__ import annotations

from firstcause.core.model import Frozen


class RejectedEvent(Frozen):
    """An event that is not accepted. index: of the event in the request, from 0."""

    index: int
    error: str


class EventReceipt(Frozen):
    """Which events are on disk. accepted: how many."""

    accepted: int
    rejected: tuple[RejectedEvent, ...]
