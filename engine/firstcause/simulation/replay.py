"""Recorded events through the pipeline, at their own times."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.errors import StoreError
from firstcause.simulation.simulator import Moment, Rehearsal
from firstcause.store import outbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from firstcause.core.model import Event
    from firstcause.rulebase.rulebase import Knowledge

_TOGETHER = timedelta(seconds=1)
"""Events of so long are triaged together, as a daemon under load does."""


@dataclass(frozen=True)
class Replayed:
    """incidents: as `incident ID --json` shows them, as they were opened. said: how many messages."""

    incidents: Sequence[dict[str, Any]]
    said: int


def replay(
    events: Iterable[Event], knowledge: Knowledge, group_wait: float, store: str | None = None
) -> Replayed:
    """What comes of them; nobody is told. The knowledge is the caller's and stays open.

    group_wait: seconds. store: URL of where it is to be kept, None for one in memory. StoreError where a
    daemon runs on that, or where it holds messages that are still to be sent: they would be lost.
    """
    rehearsal = Rehearsal(knowledge, group_wait, store, sweeping=True)
    with closing(rehearsal), rehearsal.database.only_daemon():
        with rehearsal.database.read() as conn:
            if waiting := outbox.count_waiting(conn):
                msg = f"{waiting} messages still wait to be sent from that store; name another with --store"
                raise StoreError(msg)
        rehearsal.go_on(moments(events))
        return Replayed(rehearsal.incidents(), len(rehearsal.notifications))


def moments(events: Iterable[Event]) -> Iterator[Moment]:
    """In the order of their times, those of a second together at the time of the last."""
    batch: list[Event] = []
    for event in sorted(events, key=lambda each: each.time):
        if batch and event.time - batch[0].time > _TOGETHER:
            yield Moment(batch[-1].time, batch)
            batch = []
        batch.append(event)
    if batch:
        yield Moment(batch[-1].time, batch)
