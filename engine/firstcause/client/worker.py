"""The thread that renders, sends and keeps what the application's threads saw."""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - else imported when first a name is looked up, maybe during a fork
import logging
import math
import random
import socket
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from firstcause.client.capture import CapturedError, FlushMark
from firstcause.client.event_builder import render_line
from firstcause.client.loss_counter import LossCounter, format_losses
from firstcause.client.transport import SendResponse, SendResult, Transport

try:
    from firstcause.client.spool import Spool, prepare_folder
except ImportError:  # Windows has no locks of this kind
    _CAN_SPOOL = False
else:
    _CAN_SPOOL = True

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from firstcause.client.settings import Settings
    from firstcause.client.wakeup import Wakeup

_POLL_INTERVAL_S = 0.05
_MAX_POLLS = 40
_MAX_BATCH_EVENTS = 500
_MAX_BATCH_BYTES = 4 * 1024 * 1024
_MIN_RETRY_WAIT_S, _MAX_RETRY_WAIT_S = 0.25, 60.0
_LOSS_REPORT_INTERVAL_S = 60.0
_EXPIRE_INTERVAL_S = 3600.0
LOGGER = "firstcause.client"
_log = logging.getLogger(LOGGER)

LOSSES_CODE = "ERRORS_NOT_REPORTED"


class Worker:
    """One client's. Between its steps all that it holds is in the queue, in `_held`, or on disk."""

    def __init__(
        self,
        settings: Settings,
        event_queue: deque[CapturedError | FlushMark],
        losses: LossCounter,
        new_id: Callable[[], str],
        wakeup: Wakeup,
    ) -> None:
        self.is_idle = self.is_finished = False
        self._wakeup = wakeup
        self._settings, self._queue, self._losses, self._new_id = settings, event_queue, losses, new_id
        self._transport = Transport(settings)
        self._spool = _open_spool(settings)
        self._batch: deque[CapturedError] = deque()
        self._held: list[bytes] = []
        self._held_lock = threading.Lock()
        self._flush_marks: list[FlushMark] = []
        self._host = socket.gethostname()
        self._retry_at = 0.0
        self._failures = 0
        self._loss_report_at = self._expire_at = self._spool_retry_at = 0.0

    def run(self) -> None:
        """Until it is closed; what is then left is sent or kept."""
        while not self._wakeup.is_closing:
            try:
                self._gather_batch()
                self._run_step()
            except Exception:  # noqa: BLE001 - the thread must outlive whatever is wrong
                _log.exception("firstcause client: unexpected error; it continues")
                self._wakeup.wait(1.0)
        try:
            self._finish_sending()
        except Exception:  # noqa: BLE001 - so must the application
            _log.exception("firstcause's client could not finish")
        self._transport.close()
        self.is_finished = True

    def abandon(self) -> None:
        """On another thread, where this one did not end in time: what is left goes to disk."""
        self._drain_queue()
        with contextlib.suppress(IndexError):
            while True:
                self._hold_event(self._batch.popleft())
        with self._held_lock:
            self._spool_lines(self._held)

    # ---- one step

    def _gather_batch(self) -> None:
        """What waits, after a moment in which more may come; nothing while a batch is still held."""
        if self._held:
            self._wait_until(self._retry_at)
            return
        idle_s = self._compute_idle_s()
        deadline = time.monotonic() + idle_s if idle_s is not None else math.inf
        # Looking now and then, rather than being woken for each: that would cost its caller.
        if 0 < len(self._queue) < _MAX_BATCH_EVENTS:
            self._wakeup.wait(_POLL_INTERVAL_S)
        for _ in range(_MAX_POLLS):
            if self._queue or self._wakeup.is_closing or time.monotonic() >= deadline:
                break
            self._wakeup.wait(_POLL_INTERVAL_S)
        else:
            self._wait_for_item(deadline)
        self._drain_queue(_MAX_BATCH_EVENTS)

    def _wait_until(self, moment: float) -> None:
        while not self._wakeup.is_closing and (left_s := moment - time.monotonic()) > 0:
            self._wakeup.wait(left_s)

    def _wait_for_item(self, deadline: float) -> None:
        """Until something comes, after a while in which nothing did."""
        self.is_idle = True
        while not (self._queue or self._wakeup.is_closing) and (left_s := deadline - time.monotonic()) > 0:
            self._wakeup.wait(left_s)
        self.is_idle = False
        if self._queue:
            self._wakeup.wait(_POLL_INTERVAL_S)

    def _drain_queue(self, max_events: int | None = None) -> None:
        with contextlib.suppress(IndexError):
            while max_events is None or len(self._batch) < max_events:
                self._add_item(self._queue.popleft())

    def _add_item(self, item: CapturedError | FlushMark) -> None:
        if isinstance(item, CapturedError):
            self._batch.append(item)
        else:
            self._flush_marks.append(item)

    def _compute_idle_s(self) -> float | None:
        """Seconds until there is something to do without a new event; None for as long as it likes."""
        due = []
        if self._has_spooled():
            due.append(max(self._retry_at, self._spool_retry_at))
        if self._losses.unreported():
            due.append(max(self._retry_at, self._loss_report_at))
        return max(min(due) - time.monotonic(), 0.02) if due else None

    def _run_step(self) -> None:
        self._render_batch()
        now = time.monotonic()
        has_backlog = self._has_spooled() and now >= self._spool_retry_at
        if self._spool is not None and (has_backlog or self._is_backing_off()):
            self._spool_held()
            self._drain_spool()
        elif self._held and not self._is_backing_off():
            self._send_held()
        self._report_losses()
        self._release_marks()

    def _is_backing_off(self) -> bool:
        return time.monotonic() < self._retry_at

    def _render_batch(self) -> None:
        # At any moment each event is in the queue, the batch or what is held, for abandon() to find.
        while self._batch:
            self._hold_event(self._batch[0])
            with contextlib.suppress(IndexError):
                self._batch.popleft()
            # Lets the application's threads go before us.
            time.sleep(0)

    def _hold_event(self, captured: CapturedError) -> None:
        try:
            rendered = render_line(captured, self._settings, self._host)
        except Exception:  # noqa: BLE001 - one that cannot be rendered must not take the others along
            self._losses.add("could not be rendered")
            _log.exception("an error could not be rendered")
        else:
            with self._held_lock:
                self._held.append(rendered)

    # ---- sending

    def _send_held(self) -> None:
        """What is held, in parts; from the first part on that was not dealt with, it is kept."""
        while self._held and (part := _select_part(self._held)):
            if not self._send_lines(_stamp_lines(part) if self._failures else part):
                self._spool_held()
                return
            with self._held_lock:
                del self._held[: len(part)]

    def _send_lines(self, lines: Sequence[bytes]) -> bool:
        """Whether nothing more is to be done about the lines."""
        response = self._transport.post(lines)
        if response.result is SendResult.TOO_LARGE and len(lines) > 1:
            half = len(lines) // 2
            return self._send_lines(lines[:half]) and self._send_lines(lines[half:])
        if response.result is SendResult.RETRY:
            self._back_off(response)
            return False
        if response.result is not SendResult.ACCEPTED:
            self._losses.add("refused by the daemon", len(lines))
            _log.warning("the daemon refused %d errors: %s", len(lines), response.reason)
        self._losses.add("rejected by the daemon", response.rejected)
        if self._failures:
            _log.warning("the daemon at %s takes errors again", _hide_credentials(self._settings.url))
        self._failures, self._retry_at = 0, 0.0
        return True

    def _back_off(self, response: SendResponse) -> None:
        if not self._failures:
            kept = "on disk" if self._spool is not None else "in memory, as far as there is room,"
            url = _hide_credentials(self._settings.url)
            _log.warning(
                "no errors can be sent to %s: %s; they are kept %s until then", url, response.reason, kept
            )
        jitter = random.uniform(0.75, 1.25)  # noqa: S311 - so that not all clients come at once
        wait_s = min(_MIN_RETRY_WAIT_S * 2 ** min(self._failures, 20), _MAX_RETRY_WAIT_S) * jitter
        self._failures += 1
        self._retry_at = time.monotonic() + max(wait_s, response.retry_after or 0.0)

    # ---- the disk

    def _has_spooled(self) -> bool:
        try:
            return self._spool is not None and self._spool.has_pending()
        except OSError:
            return False

    def _spool_held(self) -> None:
        with self._held_lock:
            self._spool_lines(self._held)

    def _spool_lines(self, lines: list[bytes]) -> None:
        """Moves them to the disk, as far as there is room; where it cannot be written to they stay."""
        if not lines or self._spool is None:
            return
        try:
            kept_count = self._spool.append(lines)
        except OSError as error:
            _log.warning("errors cannot be kept in %s: %s", self._spool.folder, error)
            return
        self._losses.add("no room on disk", len(lines) - kept_count)
        lines.clear()

    def _drain_spool(self) -> bool:
        """Whether a segment was dealt with; none is while it is too early, or another process is at it."""
        if self._spool is None or self._is_backing_off():
            return False
        try:
            if time.monotonic() >= self._expire_at:
                self._expire_at = time.monotonic() + _EXPIRE_INTERVAL_S
                self._losses.add("too old", self._spool.expire(time.time()))
            return self._send_oldest_segment(self._spool)
        except OSError as error:
            _log.warning("what is kept in %s cannot be sent: %s", self._spool.folder, error)
            self._spool_retry_at = time.monotonic() + _MAX_RETRY_WAIT_S
            return False

    def _send_oldest_segment(self, spool: Spool) -> bool:
        with spool.claim_oldest() as segment:
            if segment is None:
                self._spool_retry_at = time.monotonic() + 1.0
                return False
            if segment.lines and not self._send_lines(_stamp_lines(segment.lines)):
                return False
            spool.remove(segment)
            return True

    # ---- what was lost, and who waits

    def _report_losses(self) -> None:
        losses = self._losses.unreported()
        now = time.monotonic()
        is_early = now < self._loss_report_at and not self._wakeup.is_closing
        if not losses or self._is_backing_off() or is_early:
            return
        response = self._transport.post([self._render_loss_event(losses)])
        if response.result is SendResult.RETRY:
            self._back_off(response)
            return
        # For any other response a retry would not help.
        self._losses.mark_reported(losses)
        self._loss_report_at = now + _LOSS_REPORT_INTERVAL_S

    def _render_loss_event(self, losses: dict[str, int]) -> bytes:
        fields = {
            "id": self._new_id(), "code": LOSSES_CODE, "message": format_losses(losses),
            "severity": "WARNING",
            "details": {"not_reported": losses},
        }  # fmt: skip
        return render_line(CapturedError(fields, time.time()), self._settings, self._host)

    def _release_marks(self) -> None:
        """To those who wait in flush(), once all is sent."""
        if self._flush_marks and not self._held and not self._queue and not self._has_spooled():
            for mark in self._flush_marks:
                mark.is_reached = True
            self._flush_marks = []

    def _finish_sending(self) -> None:
        """At the end: what is there is sent, unless the daemon is known to be away; else it goes to disk."""
        self._drain_queue()
        self._run_step()
        while self._has_spooled() and self._drain_spool():
            pass
        self._spool_held()
        if losses := self._losses.unreported():
            self._spool_lines([self._render_loss_event(losses)])
        self._release_marks()


def _open_spool(settings: Settings) -> Spool | None:
    if settings.spool == "" or not settings.spool_bytes or not _CAN_SPOOL:
        return None
    try:
        return Spool(prepare_folder(settings.url, settings.spool), settings.spool_bytes)
    except OSError as error:
        _log.warning("while the daemon is away errors are kept in memory only: %s", error)
        return None


def _stamp_lines(lines: Sequence[bytes]) -> list[bytes]:
    """Say when errors are sent that had to wait, so that nobody takes the wait for a clock that is behind."""
    sent_at = datetime.now(UTC).isoformat().encode()
    return [line[:-1] + b',"sent_at":"' + sent_at + b'"}' if line.endswith(b"}") else line for line in lines]


def _select_part(lines: Sequence[bytes]) -> list[bytes]:
    """As many as one request should have."""
    part: list[bytes] = []
    size = 0
    for line in lines[:_MAX_BATCH_EVENTS]:
        size += len(line)
        if part and size > _MAX_BATCH_BYTES:
            break
        part.append(line)
    return part


def _hide_credentials(url: str) -> str:
    """Without the name and password that may stand in it."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
