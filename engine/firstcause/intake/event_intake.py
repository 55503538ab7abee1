"""Stores what senders report: secrets are masked, and events of several senders share one commit."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from firstcause.errors import FirstcauseError
from firstcause.intake import fast_path
from firstcause.intake.event_packer import EventPacker
from firstcause.intake.metrics import IntakeMetrics
from firstcause.intake.writer import BacklogLimit, GroupCommitWriter
from firstcause.store import inbox
from firstcause.store.inbox import EventPayload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from firstcause.core.model import Event
    from firstcause.core.privacy.masking import Mask
    from firstcause.store.database import Database


def generate_id() -> str:
    """A new id for an event."""
    return uuid.uuid4().hex


class EventIntake:
    """Stores events for triage.

    get_mask: returns the current mask of secrets.
    max_pending_bytes: of events that wait for triage on disk, before more are refused; 0 for no limit.
    """

    def __init__(self, database: Database, get_mask: Callable[[], Mask], max_pending_bytes: int) -> None:
        self._database = database
        self._get_mask = get_mask
        self._writer: GroupCommitWriter | None = None
        self.backlog_limit = BacklogLimit(database, max_pending_bytes)
        self.metrics = IntakeMetrics()

    def start_writer(self, clock: Callable[[], datetime], on_stored: Callable[[], None]) -> None:
        """Start the thread behind `submit`. on_stored: called after each commit."""
        self.backlog_limit.refresh()
        self._writer = GroupCommitWriter(self._database.inbox, clock, on_stored, self.backlog_limit)

    def close_writer(self) -> None:
        """Store what was submitted, then stop the thread behind `submit`."""
        if self._writer is not None:
            self._writer.close()

    def accept(self, events: Sequence[Event], now: datetime) -> None:
        """Store events; when this returns they are on disk."""
        self._database.inbox.store(self.mask_and_pack(events), now)

    def submit(self, payloads: Sequence[EventPayload]) -> Future[None]:
        """Store payloads together with those of other senders; the future is done when they are on disk.

        IntakeError 503 where too many wait.
        """
        return self._get_writer().submit(payloads)

    def create_packer(
        self, now: datetime, max_event_bytes: int, overrides: Mapping[str, str] | None = None
    ) -> EventPacker:
        """Create what packs the events of a request for `submit`; see `EventPacker` for the parameters."""
        return EventPacker(self._get_mask(), now, max_event_bytes, overrides)

    def mask_and_pack(self, events: Sequence[Event]) -> list[EventPayload]:
        """The events without secrets, as the inbox stores them."""
        mask = self._get_mask()
        return inbox.pack_events([mask.mask_event(event) for event in events])

    def pack_verbatim(self, body: bytes, *, by_line: bool = False) -> EventPayload | None:
        """Pack a request that can be stored as it was sent; None where it has to be read and masked.

        by_line: it is NDJSON, and is stored as the list of its lines.
        """
        if not self._get_mask().surely_clean(body):
            return None
        if by_line:
            joined = fast_path.join_lines(body)
            if joined is None:
                return None
            body = joined
        events = fast_path.count_events(body, inbox.MAX_PAYLOAD_EVENTS)
        return EventPayload(body, events, verbatim=True) if events is not None else None

    @property
    def stored_count(self) -> int:
        """How many events `submit` has stored since the start."""
        return self._get_writer().stored_count

    def _get_writer(self) -> GroupCommitWriter:
        if self._writer is None:
            msg = "the daemon is not running"
            raise FirstcauseError(msg)
        return self._writer
