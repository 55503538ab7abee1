"""A model of the journal's writers, readers and crashes, in any order: accepted means counted once.

Two processes write and read the same folder. The model knows which payloads were acknowledged, which were
refused, and which were under way when their writer was killed. What has to hold: each acknowledged payload is
triaged once, a refused one never, and one that was under way at most once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from firstcause.errors import StoreError
from firstcause.store import inbox_journal
from firstcause.store.database import Database
from firstcause.store.inbox import AlreadyClaimedError, EventPayload
from firstcause.store.inbox_journal import JournalInbox
from firstcause.store.journal_segment import encode_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause.store.inbox import PendingBatch

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROCESSES = st.integers(0, 1)
SIZES = st.lists(st.integers(1, 3), min_size=1, max_size=3)
"""How many events each payload of a frame has."""


class InboxModel(RuleBasedStateMachine):
    """The real inboxes on the left, Python's collections on the right."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="firstcause-model-"))
        self._url = f"sqlite:///{self._folder}/x.db"
        self._patches = contextlib.ExitStack()
        self._patch = self._patches.enter_context(pytest.MonkeyPatch.context())
        # Small segments: several of them are begun, finished and deleted.
        self._patch.setattr(inbox_journal, "MAX_SEGMENT_BYTES", 400)
        self._databases: list[Database] = []
        self._count = 0
        self._acknowledged: Counter[str] = Counter()
        self._refused: set[str] = set()
        self._unanswered: Counter[str] = Counter()
        self._triaged: Counter[str] = Counter()
        self._batches: list[tuple[Database, PendingBatch]] = []

    @initialize()
    def open_store(self) -> None:
        self._databases = [Database(self._url) for _ in range(2)]
        self._databases[0].prepare()

    def teardown(self) -> None:
        try:
            if self._databases:
                self._check_end()
        finally:
            for database in self._databases:
                database.close()
            self._patches.close()
            shutil.rmtree(self._folder)

    def _check_end(self) -> None:
        """All that waits is triaged; then the books are closed."""
        while self._triage(self._databases[0], 1000):
            pass
        assert self._triaged >= self._acknowledged, "an acknowledged event is lost"
        assert not self._refused & self._triaged.keys(), "a refused event is triaged"
        assert self._triaged <= self._acknowledged + self._unanswered, "an event is triaged twice"

    @invariant()
    def nothing_is_triaged_twice(self) -> None:
        assert self._triaged <= self._acknowledged + self._unanswered

    # What a process does

    @rule(process=PROCESSES, sizes=SIZES)
    def store(self, process: int, sizes: list[int]) -> None:
        self._store(self._databases[process], self._make_payloads(sizes))

    @rule(process=PROCESSES, sizes=SIZES)
    def store_on_a_disk_that_fails(self, process: int, sizes: list[int]) -> None:
        payloads = self._make_payloads(sizes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fdatasync", self._fail_after(lambda: self._read_all(1 - process)))
            with pytest.raises(StoreError):
                self._databases[process].inbox.store(payloads, NOW)
        self._refused |= {payload.key for payload in payloads}

    @rule(process=PROCESSES, limit=st.integers(1, 7))
    def triage(self, process: int, limit: int) -> None:
        self._triage(self._databases[process], limit)

    @rule(process=PROCESSES, limit=st.integers(1, 7))
    def read(self, process: int, limit: int) -> None:
        """Begin a batch that is finished later, or never."""
        database = self._databases[process]
        with database.read() as conn:
            batch = database.inbox.load_pending(conn, limit)
        if batch.payloads:
            self._batches.append((database, batch))

    @precondition(lambda self: self._batches)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self._batches) - 1))
        self._finish(*self._batches.pop(index))

    # What meets what

    @rule(writer=PROCESSES, reader=PROCESSES, sizes=SIZES, cut=st.floats(0, 1), limit=st.integers(1, 7))
    def read_while_a_frame_is_written(
        self, writer: int, reader: int, sizes: list[int], cut: float, limit: int
    ) -> None:
        """The frame reaches the file in two pieces, and is synced only then."""
        write = os.write

        def write_in_pieces(fd: int, content: Any) -> int:
            written = write(fd, content[: int(cut * len(content))]) if cut < 1 else 0
            with unpatched():
                self._triage(self._databases[reader], limit)
            return written + write(fd, content[written:])

        patch = pytest.MonkeyPatch()
        unpatched = self._suspend(patch, "write", write_in_pieces)
        try:
            self._store(self._databases[writer], self._make_payloads(sizes))
        finally:
            patch.undo()

    @rule(writer=PROCESSES, reader=PROCESSES, frames=st.integers(1, 3), call=st.integers(0, 5))
    def write_while_a_segment_is_read(self, writer: int, reader: int, frames: int, call: int) -> None:
        """Between two reads of the reader, whichever, a writer finishes frames."""
        pread, calls = os.pread, [0]

        def read_and_write(fd: int, length: int, offset: int) -> bytes:
            content = pread(fd, length, offset)
            calls[0] += 1
            if calls[0] == call + 1:
                with unpatched():
                    for _ in range(frames):
                        self._store(self._databases[writer], self._make_payloads([1]))
            return content

        patch = pytest.MonkeyPatch()
        unpatched = self._suspend(patch, "pread", read_and_write)
        try:
            database = self._databases[reader]
            with database.read() as conn:
                batch = database.inbox.load_pending(conn, 5)
        finally:
            patch.undo()
        if batch.payloads:
            self._finish(database, batch)

    # What goes wrong

    @rule(process=PROCESSES, sizes=SIZES, cut=st.floats(0, 1))
    def kill(self, process: int, sizes: list[int], cut: float) -> None:
        """The process dies as it writes a frame, and another one takes its place."""
        database = self._databases[process]
        payloads = self._make_payloads(sizes)
        frame = encode_frame(payloads, NOW)
        inbox = database.inbox
        assert isinstance(inbox, JournalInbox)
        if inbox._writer is not None:
            piece = frame[: int(cut * len(frame))]
            os.write(inbox._writer._fd, piece)
            if len(piece) == len(frame):
                self._unanswered.update(self._count_events(payloads))
        # The kernel closes what a dead process had open, which frees its locks.
        database.close()
        self._batches = [(owner, batch) for owner, batch in self._batches if owner is not database]
        self._databases[process] = Database(self._url)

    @rule(process=PROCESSES)
    def restart(self, process: int) -> None:
        database = self._databases[process]
        database.close()
        self._batches = [(owner, batch) for owner, batch in self._batches if owner is not database]
        self._databases[process] = Database(self._url)

    # Helpers

    def _make_payloads(self, sizes: list[int]) -> list[EventPayload]:
        payloads = []
        for size in sizes:
            self._count += 1
            payloads.append(EventPayload(b"[" + b"fcj1" * size + b"]", size, key=f"k{self._count}"))
        return payloads

    @staticmethod
    def _count_events(payloads: list[EventPayload]) -> Counter[str]:
        return Counter({payload.key: payload.event_count for payload in payloads})

    def _store(self, database: Database, payloads: list[EventPayload]) -> None:
        # Before the call: it may be triaged before the call returns, but not before it is synced.
        self._acknowledged.update(self._count_events(payloads))
        database.inbox.store(payloads, NOW)

    def _read_all(self, process: int) -> None:
        while self._triage(self._databases[process], 1000):
            pass

    def _triage(self, database: Database, limit: int) -> bool:
        with database.read() as conn:
            batch = database.inbox.load_pending(conn, limit)
        return bool(batch.payloads) and self._finish(database, batch)

    def _finish(self, database: Database, batch: PendingBatch) -> bool:
        try:
            with database.write() as conn:
                batch.mark_processed(conn)
        except AlreadyClaimedError:
            return False
        for pending in batch.payloads:
            self._triaged[pending.payload.key] += pending.to_process
        return True

    @staticmethod
    def _fail_after(step: Callable[[], None]) -> Callable[[int], None]:
        def fail(_fd: int) -> None:
            step()
            raise OSError(errno.EIO, "Input/output error")

        return fail

    @staticmethod
    def _suspend(
        patch: pytest.MonkeyPatch, name: str, replacement: Callable[..., Any]
    ) -> Callable[[], contextlib.AbstractContextManager[None]]:
        """Replace a function of `os` as the journal sees it; the result puts the original back meanwhile."""
        original = getattr(os, name)
        patch.setattr(os, name, replacement)

        @contextlib.contextmanager
        def unpatched() -> Any:
            setattr(os, name, original)
            try:
                yield
            finally:
                setattr(os, name, replacement)

        return unpatched


TestInbox = InboxModel.TestCase
TestInbox.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
