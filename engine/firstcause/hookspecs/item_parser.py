"""Parses the items of a request one by one, so that an invalid item does not refuse the others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from firstcause.core.model import Event
from firstcause.errors import IntakeError
from firstcause.hookspecs.types import IntakeResult, RejectedItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")


def parse_items(items: Iterable[T], parse: Callable[[int, T], Event | Sequence[Event] | str]) -> IntakeResult:
    """Parse each item of a request.

    parse: gets the position of the item, from 0, and the item. It returns the event, or events, of the item;
        or, if the item is not an error, a word for its kind, under which it is counted. If it raises
        IntakeError, the item is rejected.
    """
    events: list[Event] = []
    positions: list[int] = []
    rejected: list[RejectedItem] = []
    ignored: Counter[str] = Counter()
    for index, item in enumerate(items):
        try:
            parsed = parse(index, item)
        except IntakeError as error:
            rejected.append(RejectedItem(index, str(error), error.status))
            continue
        if isinstance(parsed, str):
            ignored[parsed] += 1
            continue
        item_events = [parsed] if isinstance(parsed, Event) else parsed
        events += item_events
        positions += [index] * len(item_events)
    return IntakeResult(events, ignored, rejected=rejected, positions=positions)
