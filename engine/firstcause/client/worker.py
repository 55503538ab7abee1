"""The thread that renders, sends and keeps what the application's threads saw."""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - else imported when first a name is looked up, maybe during a fork
import logging
import math
import queue
import random
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from firstcause.client.capture import Seen
from firstcause.client.event_builder import line
from firstcause.client.loss_counter import Losses, sentence
from firstcause.client.transport import Answer, Fate, Transport

try:
    from firstcause.client.spool import Spool, folder_for
except ImportError:  # Windows has no locks of this kind
    _CAN_SPOOL = False
else:
    _CAN_SPOOL = True

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from firstcause.client.settings import Settings

_LINGER = 0.05
_LOOKS = 40
_MOST = 500
_MOST_BYTES = 4 * 1024 * 1024
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 60.0
_TELL_EVERY = 60.0
_EXPIRE_EVERY = 3600.0
LOGGER = "firstcause.client"
_log = logging.getLogger(LOGGER)

LOSSES_CODE = "ERRORS_NOT_REPORTED"


class Worker:
    """One client's. Between its steps all that it holds is in the queue, in `_held`, or on disk."""

    def __init__(
        self,
        settings: Settings,
        waiting: queue.SimpleQueue[Seen | threading.Event | None],
        losses: Losses,
        new_id: Callable[[], str],
        closing: threading.Event,
    ) -> None:
        self.closing = closing
        self._settings, self._queue, self._losses, self._new_id = settings, waiting, losses, new_id
        self._transport = Transport(settings)
        self._spool = _spool(settings)
        self._batch: deque[Seen] = deque()
        self._held: list[bytes] = []
        self._handover = threading.Lock()
        self._asked: list[threading.Event] = []
        self._host = socket.gethostname()
        self._not_before = 0.0
        self._failures = 0
        self._tell_after = self._expire_after = self._others_until = 0.0

    def run(self) -> None:
        """Until `closing` is set; what is then left is sent or kept."""
        while not self.closing.is_set():
            try:
                self._gather()
                self._step()
            except Exception:  # noqa: BLE001 - the thread must outlive whatever is wrong
                _log.exception("firstcause's client stumbled, and goes on")
                self.closing.wait(1.0)
        try:
            self._finish()
        except Exception:  # noqa: BLE001 - so must the application
            _log.exception("firstcause's client could not finish")
        self._transport.close()

    def abandon(self) -> None:
        """On another thread, where this one did not end in time: what is left goes to disk."""
        self._take()
        with contextlib.suppress(IndexError):
            while True:
                self._hold(self._batch.popleft())
        with self._handover:
            self._keep(self._held)

    # ---- one step

    def _gather(self) -> None:
        """What waits, after a moment in which more may come; nothing while a batch is still held."""
        if self._held:
            self.closing.wait(max(self._not_before - time.monotonic(), 0.0))
            return
        idle = self._idle()
        until = time.monotonic() + idle if idle is not None else math.inf
        # Looking now and then, rather than being woken for each: that would cost its caller.
        if 0 < self._queue.qsize() < _MOST:
            self.closing.wait(_LINGER)
        for _ in range(_LOOKS):
            if not self._queue.empty() or self.closing.is_set() or time.monotonic() >= until:
                break
            self.closing.wait(_LINGER)
        else:
            self._sleep(until)
        self._take(_MOST)

    def _sleep(self, until: float) -> None:
        """Until something comes, after a while in which nothing did."""
        timeout = None if until == math.inf else max(until - time.monotonic(), 0.0)
        with contextlib.suppress(queue.Empty):
            self._place(self._queue.get(timeout=timeout))
            if self._batch:
                self.closing.wait(_LINGER)

    def _take(self, most: int | None = None) -> None:
        with contextlib.suppress(queue.Empty):
            while most is None or len(self._batch) < most:
                self._place(self._queue.get_nowait())

    def _place(self, item: Seen | threading.Event | None) -> None:
        if isinstance(item, Seen):
            self._batch.append(item)
        elif item is not None:
            self._asked.append(item)

    def _idle(self) -> float | None:
        """Seconds until there is something to do without a new event; None for as long as it likes."""
        due = []
        if self._pending():
            due.append(max(self._not_before, self._others_until))
        if self._losses.untold():
            due.append(max(self._not_before, self._tell_after))
        return max(min(due) - time.monotonic(), 0.02) if due else None

    def _step(self) -> None:
        self._render()
        now = time.monotonic()
        behind = self._pending() and now >= self._others_until
        if self._spool is not None and (behind or self._away()):
            self._keep_held()
            self._drain()
        elif self._held and not self._away():
            self._send_held()
        self._tell_losses()
        self._answer()

    def _away(self) -> bool:
        return time.monotonic() < self._not_before

    def _render(self) -> None:
        # At any moment each event is in the queue, the batch or what is held, for abandon() to find.
        while self._batch:
            self._hold(self._batch[0])
            with contextlib.suppress(IndexError):
                self._batch.popleft()
            # Lets the application's threads go before us.
            time.sleep(0)

    def _hold(self, seen: Seen) -> None:
        try:
            rendered = line(seen, self._settings, self._host)
        except Exception:  # noqa: BLE001 - one that cannot be rendered must not take the others along
            self._losses.add("could not be rendered")
            _log.exception("an error could not be rendered")
        else:
            with self._handover:
                self._held.append(rendered)

    # ---- sending

    def _send_held(self) -> None:
        """What is held, in parts; from the first part on that was not dealt with, it is kept."""
        while self._held and (part := _part(self._held)):
            if not self._deal(part):
                self._keep_held()
                return
            with self._handover:
                del self._held[: len(part)]

    def _deal(self, lines: Sequence[bytes]) -> bool:
        """Whether nothing more is to be done about the lines."""
        answer = self._transport.post(lines)
        if answer.fate is Fate.TOO_LARGE and len(lines) > 1:
            half = len(lines) // 2
            return self._deal(lines[:half]) and self._deal(lines[half:])
        if answer.fate is Fate.LATER:
            self._wait(answer)
            return False
        if answer.fate is not Fate.TAKEN:
            self._losses.add("refused by the daemon", len(lines))
            _log.warning("the daemon refused %d errors: %s", len(lines), answer.why)
        self._losses.add("rejected by the daemon", answer.rejected)
        if self._failures:
            _log.warning("the daemon at %s takes errors again", _shown(self._settings.url))
        self._failures, self._not_before = 0, 0.0
        return True

    def _wait(self, answer: Answer) -> None:
        if not self._failures:
            kept = "on disk" if self._spool is not None else "in memory, as far as there is room,"
            where = _shown(self._settings.url)
            _log.warning(
                "no errors can be sent to %s: %s; they are kept %s until then", where, answer.why, kept
            )
        wait = min(_FIRST_WAIT * 2 ** min(self._failures, 20), _LONGEST_WAIT) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        self._failures += 1
        self._not_before = time.monotonic() + max(wait, answer.retry_after or 0.0)

    # ---- the disk

    def _pending(self) -> bool:
        try:
            return self._spool is not None and self._spool.pending()
        except OSError:
            return False

    def _keep_held(self) -> None:
        with self._handover:
            self._keep(self._held)

    def _keep(self, lines: list[bytes]) -> None:
        """Moves them to the disk, as far as there is room; where it cannot be written to they stay."""
        if not lines or self._spool is None:
            return
        try:
            kept = self._spool.append(lines)
        except OSError as error:
            _log.warning("errors cannot be kept in %s: %s", self._spool.folder, error)
            return
        self._losses.add("no room on disk", len(lines) - kept)
        lines.clear()

    def _drain(self) -> bool:
        """Whether a segment was dealt with; none is while it is too early, or another process is at it."""
        if self._spool is None or self._away():
            return False
        try:
            if time.monotonic() >= self._expire_after:
                self._expire_after = time.monotonic() + _EXPIRE_EVERY
                self._losses.add("too old", self._spool.expire(time.time()))
            return self._drained(self._spool)
        except OSError as error:
            _log.warning("what is kept in %s cannot be sent: %s", self._spool.folder, error)
            self._others_until = time.monotonic() + _LONGEST_WAIT
            return False

    def _drained(self, spool: Spool) -> bool:
        with spool.oldest() as segment:
            if segment is None:
                self._others_until = time.monotonic() + 1.0
                return False
            if segment.lines and not self._deal(segment.lines):
                return False
            spool.done(segment)
            return True

    # ---- what was lost, and who waits

    def _tell_losses(self) -> None:
        these = self._losses.untold()
        now = time.monotonic()
        if not these or self._away() or (now < self._tell_after and not self.closing.is_set()):
            return
        answer = self._transport.post([self._loss(these)])
        if answer.fate is Fate.LATER:
            self._wait(answer)
            return
        # Whatever else it answers: to tell the same again would not help.
        self._losses.told(these)
        self._tell_after = now + _TELL_EVERY

    def _loss(self, these: dict[str, int]) -> bytes:
        fields = {
            "id": self._new_id(), "code": LOSSES_CODE, "message": sentence(these), "severity": "WARNING",
            "details": {"not_reported": these},
        }  # fmt: skip
        return line(Seen(fields, time.time()), self._settings, self._host)

    def _answer(self) -> None:
        """To those who wait in flush(), once all is sent."""
        if self._asked and not self._held and self._queue.empty() and not self._pending():
            for asked in self._asked:
                asked.set()
            self._asked = []

    def _finish(self) -> None:
        """At the end: what is there is sent, unless the daemon is known to be away; else it goes to disk."""
        self._take()
        self._step()
        while self._pending() and self._drain():
            pass
        self._keep_held()
        if these := self._losses.untold():
            self._keep([self._loss(these)])
        self._answer()


def _spool(settings: Settings) -> Spool | None:
    if settings.spool == "" or not settings.spool_bytes or not _CAN_SPOOL:
        return None
    try:
        return Spool(folder_for(settings.url, settings.spool), settings.spool_bytes)
    except OSError as error:
        _log.warning("while the daemon is away errors are kept in memory only: %s", error)
        return None


def _part(lines: Sequence[bytes]) -> list[bytes]:
    """As many as one request should have."""
    found: list[bytes] = []
    size = 0
    for each in lines[:_MOST]:
        size += len(each)
        if found and size > _MOST_BYTES:
            break
        found.append(each)
    return found


def _shown(url: str) -> str:
    """Without the name and password that may stand in it."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
