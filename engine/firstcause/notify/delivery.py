"""Delivers what is due in the outbox: claim it, prepare it, let a notifier send it, write what came of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from firstcause.notify.attempt import attempt
from firstcause.notify.digest import plan_digest
from firstcause.notify.outcomes import OutcomeWriter, PreparedMessage
from firstcause.notify.stages import (
    Continue,
    Defer,
    StageContext,
    find_rate_limit_end,
    run_stages,
    start_draft,
)
from firstcause.store import incidents, outbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Notify
    from firstcause.hookspecs.types import Notifier
    from firstcause.notify.composer import MessageComposer
    from firstcause.notify.digest import Digest
    from firstcause.notify.queue import NotificationQueue
    from firstcause.store.database import Database
    from firstcause.store.outbox import PendingMessage


@dataclass(frozen=True)
class Delivery:
    """Delivers from one outbox."""

    database: Database
    notifiers: Mapping[str, Notifier]
    composer: MessageComposer
    notification_queue: NotificationQueue
    settings: Notify

    @cached_property
    def _outcomes(self) -> OutcomeWriter:
        return OutcomeWriter(self.notification_queue, self.composer.mask, self.settings.retry_attempts)

    def run(self, now: datetime) -> int:
        """Deliver what is due; return how many messages were tried."""
        with self.database.write() as conn:
            rows = outbox.claim(conn, now)
        held_by_notifier: dict[str, list[PendingMessage]] = defaultdict(list)
        for row in rows:
            if row.held_by is not None and row.held_by in row.notifiers:
                held_by_notifier[row.held_by].append(row)
            else:
                self._send(self._prepare(row, now), now)
        for name, held_rows in held_by_notifier.items():
            for message in self._prepare_held(name, held_rows, now):
                self._send(message, now)
        return len(rows)

    def _send(self, message: PreparedMessage | None, now: datetime) -> None:
        if message is None:
            return
        result = attempt(message.notifier, message.notification)
        with self.database.write() as conn:
            self._outcomes.write_result(conn, message, result, now)

    def _prepare(self, row: PendingMessage, now: datetime) -> PreparedMessage | None:
        """Pass a message through the stages; None if it is not sent now."""
        with self.database.write() as conn:
            context = self._start_context(conn, now)
            draft, result = run_stages(start_draft(row, context), context)
            self._outcomes.write_notes(conn, draft, now)
            if isinstance(result, Continue):
                assert draft.notification is not None, "the last stage composes"
                notifier = self.notifiers[draft.notifier_name]
                return PreparedMessage(
                    [row], draft.position, notifier, draft.notification, draft.intelligence
                )
            if isinstance(result, Defer):
                self._outcomes.write_deferral(conn, draft, result, now)
            else:
                self._outcomes.write_drop(conn, draft, result, now)
        return None

    def _start_context(self, conn: sa.Connection, now: datetime) -> StageContext:
        return StageContext(conn, now, self.settings, self.notifiers, self.composer)

    def _prepare_held(
        self, name: str, due_rows: Sequence[PendingMessage], now: datetime
    ) -> list[PreparedMessage | None]:
        """Prepare what the rate limit of a notifier held back, as one message if that is possible.

        Messages that still have to wait are put back. The others go one by one if they are about one
        incident only.
        """
        with self.database.write() as conn:
            rows = [*due_rows, *outbox.claim_held(conn, name, now)]
            context = self._start_context(conn, now)
            incident_by_row = {row.id: incidents.get(conn, str(row.incident_id)) for row in rows}
            wait_ends = {row.id: find_rate_limit_end(name, incident_by_row[row.id], context) for row in rows}
            digest = plan_digest(rows, incident_by_row)
            if digest is not None and name in self.notifiers and not any(wait_ends.values()):
                return [self._prepare_digest(conn, name, digest, now)]
            for row in rows:
                if (until := wait_ends[row.id]) is not None:
                    outbox.defer(conn, row, until, held_by=name)
        return [self._prepare(row, now) for row in rows if wait_ends[row.id] is None]

    def _prepare_digest(
        self, conn: sa.Connection, name: str, digest: Digest, now: datetime
    ) -> PreparedMessage:
        self._outcomes.write_stale(conn, digest.stale_rows, now)
        for row in digest.rows:
            incident = digest.incident_by_row[row.id]
            outbox.mark_sending(conn, row.id, incident.fault, incident.priority)
        lead = digest.rows[0]
        return PreparedMessage(
            digest.rows,
            lead.notifiers.index(name),
            self.notifiers[name],
            self.composer.compose_digest(lead, digest.incidents, digest.since),
            resolved_rows=digest.resolved_rows,
        )
