"""Delivers what is due in the outbox: claim it, prepare it, let a notifier send it, write what came of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from firstcause.core.notify.policy import plan_check
from firstcause.core.notify.receiver import find_repeated_attempts
from firstcause.hookspecs.types import DeliveryReport, DeliveryState
from firstcause.notify.attempt import attempt
from firstcause.notify.digest import plan_digest
from firstcause.notify.outcomes import OutcomeWriter, PreparedMessage
from firstcause.notify.stages import (
    Continue,
    Defer,
    StageContext,
    Wait,
    find_rate_limit_end,
    record_attempt,
    run_stages,
    start_draft,
)
from firstcause.plugins.timeouts import describe_error
from firstcause.store import incidents, outbox, receiver_states

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config.notify import Notify
    from firstcause.hookspecs.types import Notifier
    from firstcause.notify.composer import MessageComposer
    from firstcause.notify.digest import Digest
    from firstcause.notify.notifier_calls import NotifierCalls
    from firstcause.notify.queue import NotificationQueue
    from firstcause.store.database import Database
    from firstcause.store.outbox import DeliveryCheck, PendingMessage

log = logging.getLogger("firstcause.notify")


@dataclass(frozen=True)
class Job:
    """Something that a notifier has to do. run: calls the notifier, and writes what came of it.

    None for a message that is not sent now, which is written already.
    """

    notifier: str | None = None
    run: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Delivery:
    """Delivers from one outbox. clock: tells the time when a notifier has returned."""

    database: Database
    notifiers: Mapping[str, Notifier]
    calls: NotifierCalls
    composer: MessageComposer
    notification_queue: NotificationQueue
    settings: Notify
    clock: Callable[[], datetime]

    @cached_property
    def _outcomes(self) -> OutcomeWriter:
        return OutcomeWriter(self.notification_queue, self.composer.mask, self.settings)

    def start_jobs(self, now: datetime, busy: Collection[str] | None) -> Iterator[Job]:
        """Claim what is due, and yield a job for each message and check; one that is not sent now is empty.

        A message is prepared only when its job is asked for, so that what the jobs before it did counts.

        busy: names of notifiers that work just now. Each of the others gets at most one job. None: a notifier
            may get several jobs, which the caller runs one after the other.
        """
        with self.database.write() as conn:
            rows = outbox.claim(conn, now, busy=busy)
        taken = None if busy is None else set(busy)
        for row in rows:
            is_held = row.held_by is not None and row.held_by in row.notifiers
            message = (
                self._prepare_held(row, now, taken) if is_held else self._prepare_message(row, now, taken)
            )
            if message is None:
                yield Job()
                continue
            if taken is not None:
                taken.add(message.notifier.name)
            yield Job(message.notifier.name, partial(self._send_message, message, now))
        yield from self._start_checks(now, taken)

    def _send_message(self, message: PreparedMessage, now: datetime) -> None:
        result = attempt(self.calls, message.notifier, message.notification, now)
        with self.database.write() as conn:
            self._outcomes.write_result(conn, message, result, self.clock())

    def _prepare_message(
        self, row: PendingMessage, now: datetime, busy: Collection[str] | None
    ) -> PreparedMessage | None:
        """Pass a message through the stages; None if it is not sent now."""
        with self.database.write() as conn:
            context = self._start_context(conn, now, busy)
            draft, result = run_stages(start_draft(row, context), context)
            self._outcomes.write_notes(conn, draft, now)
            if isinstance(result, Continue):
                assert draft.notification is not None, "an earlier stage composes"
                notifier, faults = self.notifiers[draft.notifier_name], {row.id: draft.incident.fault}
                return PreparedMessage([row], notifier, draft.notification, faults, draft.intelligence)
            if isinstance(result, Wait):
                self._outcomes.write_wait(conn, draft)
            elif isinstance(result, Defer):
                self._outcomes.write_deferral(conn, draft, result, now)
            else:
                self._outcomes.write_drop(conn, draft, result, now)
        return None

    def _start_context(
        self, conn: sa.Connection, now: datetime, busy: Collection[str] | None
    ) -> StageContext:
        hanging = self.calls.list_hanging()
        return StageContext(conn, now, self.settings, self.notifiers, self.composer, hanging, busy or ())

    def _prepare_held(
        self, due_row: PendingMessage, now: datetime, busy: Collection[str] | None
    ) -> PreparedMessage | None:
        """Prepare what the rate limit of a notifier held back, as one message if that is possible.

        Messages that still have to wait are put back. If the others make no digest, they are released, and
        sent one by one.
        """
        name = due_row.held_by or ""
        with self.database.write() as conn:
            rows = [due_row, *outbox.claim_held(conn, name, now)]
            context = self._start_context(conn, now, busy)
            incident_by_row = {row.id: incidents.get(conn, str(row.incident_id)) for row in rows}
            wait_ends = {row.id: find_rate_limit_end(name, incident_by_row[row.id], context) for row in rows}
            digest = plan_digest(rows, incident_by_row)
            can_send = name in self.notifiers and name not in (*context.hanging, *context.busy)
            if digest is not None and can_send and not any(wait_ends.values()):
                return self._prepare_digest(context, name, digest)
            for row in rows:
                until = wait_ends[row.id]
                stays_held = until is not None or name in context.busy
                outbox.defer(conn, row, until, held_by=name if stays_held else None)
        return None

    def _prepare_digest(self, context: StageContext, name: str, digest: Digest) -> PreparedMessage:
        conn = context.conn
        self._outcomes.write_stale(conn, digest.stale_rows, context.now)
        rows = (*digest.rows, *digest.resolved_rows)
        receivers = [receiver_states.load(conn, row.incident_id, row.route, name) for row in rows]
        repeated = [
            repeated_attempt
            for row, receiver in zip(rows, receivers, strict=True)
            for repeated_attempt in find_repeated_attempts(receiver, row.id, row.reason)
        ]
        notification = self.composer.compose_digest(
            digest.rows[0], digest.incidents, digest.since, receiver=receivers[0], repeated=repeated
        )
        for row in rows:
            record_attempt(context, row, digest.incident_by_row[row.id], name, notification.text)
        faults = {row.id: digest.incident_by_row[row.id].fault for row in rows}
        notifier, resolved_rows = self.notifiers[name], digest.resolved_rows
        return PreparedMessage(digest.rows, notifier, notification, faults, resolved_rows=resolved_rows)

    def _start_checks(self, now: datetime, busy: set[str] | None) -> Iterator[Job]:
        """Yield a job for each sent message of which a notifier can tell by now what became of it."""
        with self.database.read() as conn:
            if not outbox.has_due_checks(conn, now):
                return
        with self.database.write() as conn:
            checks = outbox.claim_checks(conn, now, busy or (), plan_check)
        by_notifier: dict[str, list[DeliveryCheck]] = {}
        for check in checks:
            by_notifier.setdefault(check.notifier, []).append(check)
        for name, notifier_checks in by_notifier.items():
            yield Job(name, partial(self._check_deliveries, name, notifier_checks))

    def _check_deliveries(self, name: str, checks: Sequence[DeliveryCheck]) -> None:
        notifier = self.notifiers.get(name)
        check_delivery = notifier.check_delivery if notifier is not None else None
        for check in checks:
            report: object = None
            if notifier is not None and check_delivery is not None:
                try:
                    report = self.calls.call(notifier, partial(check_delivery, check.reference))
                except Exception as error:  # noqa: BLE001 - a notifier is code of others
                    log.warning(
                        "notifier %s could not check message %s: %s",
                        name, check.reference, describe_error(error),
                    )  # fmt: skip
            if not isinstance(report, DeliveryReport) or report.state is DeliveryState.PENDING:
                continue
            with self.database.write() as conn:
                outbox.end_checks(conn, check.rows)
                if report.state is DeliveryState.FAILED:
                    self._outcomes.write_late_failure(conn, check, report.error, self.clock())
