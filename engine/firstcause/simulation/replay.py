"""Replays recorded events through the pipeline, at their own times."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.errors import StoreError
from firstcause.simulation.simulator import Simulator, Step
from firstcause.store import outbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from firstcause.core.model import Event
    from firstcause.rulebase.rulebase import Rulebase

_BATCH_WINDOW = timedelta(seconds=1)
"""Events within this time are processed together, as a daemon under load does."""


@dataclass(frozen=True)
class ReplayResult:
    """The result of a replay.

    incidents: in the form of `incident ID --json`, in the order of their opening.
    """

    incidents: Sequence[dict[str, Any]]
    notification_count: int


def replay(
    events: Iterable[Event], rulebase: Rulebase, group_wait: float, store: str | None = None
) -> ReplayResult:
    """Replay the events without notifying anybody. The rulebase belongs to the caller and stays open.

    group_wait: seconds. store: URL of where it is to be kept, None for one in memory. StoreError where a
    daemon runs on that, or where it holds messages that are still to be sent: they would be lost.
    """
    simulator = Simulator(rulebase, group_wait, store, sweep_quiet_alerts=True)
    with closing(simulator), simulator.database.hold_daemon_lock():
        with simulator.database.read() as conn:
            if pending_count := outbox.count_pending(conn):
                msg = f"the store still has {pending_count} messages to send; name another with --store"
                raise StoreError(msg)
        simulator.resume(group_steps(events))
        return ReplayResult(simulator.list_incidents(), len(simulator.notifications))


def group_steps(events: Iterable[Event]) -> Iterator[Step]:
    """Group the events in order of time; those within a second form one step, at the time of the last."""
    batch: list[Event] = []
    for event in sorted(events, key=lambda event: event.time):
        if batch and event.time - batch[0].time > _BATCH_WINDOW:
            yield Step(batch[-1].time, batch)
            batch = []
        batch.append(event)
    if batch:
        yield Step(batch[-1].time, batch)
