"""The inbox as files: accepted events are appended once and read once.

A segment is a file of frames; a frame holds the payloads that were stored together. Every process writes
segments of its own, which it holds locked. How far a segment is triaged is a row of the store (table
`journal`), so that the position is committed together with the result of the triage. A segment is deleted
when all of it is triaged and its writer has closed it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.errors import StoreUnavailableError
from firstcause.store.inbox import AlreadyClaimedError
from firstcause.store.journal_segment import (
    SEGMENT_SUFFIX,
    ReadPosition,
    Segment,
    SegmentCursor,
    SegmentWriter,
    encode_frame,
    read_batch,
)
from firstcause.store.tables import journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from firstcause.store.inbox import EventPayload, PendingBatch, PendingPayload, TableInbox
    from firstcause.store.write_failures import WriteFailures

log = logging.getLogger("firstcause.store")

MAX_SEGMENT_BYTES = 32 * 1024 * 1024
"""Bytes after which a writer begins a new segment."""


CHECK_FILE_NAME = "firstcause-write-check"
"""A file that exists only while it is checked whether the folder can be written."""

_CHECK_BYTES = 4096
"""Bytes of that file: a block of usual file systems."""


class JournalInbox:
    """The inbox of a SQLite store, in a folder of its own.

    rows: the inbox table. It holds events after a downgrade and in a backup, which is one file.
    """

    def __init__(self, folder: Path, rows: TableInbox, write_failures: WriteFailures) -> None:
        self._folder = folder
        self._rows = rows
        self._write_failures = write_failures
        self._lock = threading.Lock()
        self._writer: SegmentWriter | None = None

    def store(self, payloads: Sequence[EventPayload], now: datetime) -> None:
        """See `Inbox`."""
        if not payloads:
            return
        frame = encode_frame(payloads, now)
        try:
            self._append_frame(frame)
        except StoreUnavailableError as error:
            self._write_failures.record(str(error))
            raise

    def _append_frame(self, frame: bytes) -> None:
        with self._lock, self._translate_os_errors():
            if self._writer is None or self._writer.deleted:
                self._close_writer()
                self._writer = SegmentWriter(self._folder)
            try:
                self._writer.append(frame)
            except OSError:
                self._close_writer()
                raise
            if self._writer.size >= MAX_SEGMENT_BYTES:
                self._close_writer()

    def load_pending(self, conn: sa.Connection, limit: int) -> PendingBatch:
        """See `Inbox`."""
        rows = self._rows.load_pending(conn, limit)
        return rows if rows.payloads else self.load_from_segments(conn, limit) or rows

    def load_from_segments(self, conn: sa.Connection, limit: int) -> JournalBatch | None:
        """Load the oldest pending payloads of one segment; None where no segment has any."""
        positions = _load_positions(conn)
        with self._translate_os_errors():
            for name in self._list_segments():
                before = positions.get(name, ReadPosition())
                with self._open_segment(name) as segment:
                    if segment is None:
                        continue
                    cursor = SegmentCursor(segment, before)
                    if payloads := read_batch(cursor, limit):
                        return JournalBatch(payloads, segment.path, before, cursor.position)
                    self._delete_segment(segment, before)
        return None

    def count_pending(self, conn: sa.Connection) -> int:
        """See `Inbox`."""
        events = self._rows.count_pending(conn)
        positions = _load_positions(conn)
        with self._translate_os_errors():
            for name in self._list_segments():
                position = positions.get(name, ReadPosition())
                with self._open_segment(name) as segment:
                    if segment is not None:
                        frames = segment.iter_frames(position.offset, with_content=False)
                        events += sum(frame.event_count for frame in frames) - position.processed
        return events

    def pending_bytes(self, conn: sa.Connection) -> int:
        """See `Inbox`."""
        positions, total = _load_positions(conn), self._rows.pending_bytes(conn)
        with self._translate_os_errors():
            for name in self._list_segments():
                with suppress(FileNotFoundError):
                    size = (self._folder / name).stat().st_size
                    total += max(0, size - positions.get(name, ReadPosition()).offset)
        return total

    def copy(self, folder: Path) -> None:
        """Copy the segments as they are now into a new folder; they stay there when they are deleted here."""
        folder.mkdir(mode=0o700)
        for name in self._list_segments():
            # A segment that was deleted in the meantime is triaged.
            with suppress(FileNotFoundError):
                _copy_segment(self._folder / name, folder / name)

    def check_writable(self) -> None:
        """See `Inbox`."""
        # The folder is made with the first event.
        folder = self._folder if self._folder.exists() else self._folder.parent
        path = folder / CHECK_FILE_NAME
        with self._lock, self._translate_os_errors():
            try:
                with path.open("wb", buffering=0) as file:
                    file.write(bytes(_CHECK_BYTES))
                    os.fsync(file.fileno())
            finally:
                with suppress(OSError):
                    path.unlink()

    def close(self) -> None:
        """Close the writer's segment; pending events stay for the next process."""
        with self._lock:
            self._close_writer()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _list_segments(self) -> list[str]:
        """List the names of the segments, the oldest first."""
        try:
            return sorted(path.name for path in self._folder.iterdir() if path.suffix == SEGMENT_SUFFIX)
        except FileNotFoundError:
            return []

    @contextmanager
    def _open_segment(self, name: str) -> Iterator[Segment | None]:
        """Open a segment for reading; None where it has been deleted."""
        path = self._folder / name
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            yield Segment(path, fd, self._get_synced_size)
        finally:
            os.close(fd)

    def _get_synced_size(self, name: str) -> int | None:
        """Return how many bytes of a segment are synced; None where this process is not writing to it."""
        # Without the lock, which the writer holds while the disk works.
        writer = self._writer
        return writer.size if writer is not None and writer.name == name else None

    def _delete_segment(self, segment: Segment, position: ReadPosition) -> None:
        """Delete a segment of which no event waits, unless a writer still has it open."""
        try:
            fcntl.flock(segment.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if next(segment.iter_frames(position.offset), None) is None:
            if (torn := segment.measure_end() - position.offset) > 0:
                log.warning(
                    "inbox segment %s ends with %d bytes that were cut off before they were acknowledged",
                    segment.path.name, torn,
                )  # fmt: skip
            segment.path.unlink(missing_ok=True)

    @contextmanager
    def _translate_os_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            msg = (
                f"the inbox in {self._folder} cannot be used: {error.strerror}; "
                "check that its disk has room and that firstcause may write there"
            )
            raise StoreUnavailableError(msg) from error


@dataclass(frozen=True)
class JournalBatch:
    """A batch of one segment. before, after: how far the segment was and will be triaged."""

    payloads: Sequence[PendingPayload]
    segment: Path
    before: ReadPosition
    after: ReadPosition

    def mark_processed(self, conn: sa.Connection) -> None:
        """See `PendingBatch`."""
        positions = _load_positions(conn)
        segment_name = self.segment.name
        # The row of a deleted segment may be deleted too; its position then looks like that of a new segment.
        if positions.get(segment_name, ReadPosition()) != self.before or not self.segment.exists():
            raise AlreadyClaimedError
        values = {"place": self.after.offset, "done": self.after.processed}
        if segment_name in positions:
            conn.execute(journal.update().where(journal.c.segment == segment_name).values(values))
        else:
            conn.execute(journal.insert().values({"segment": segment_name, **values}))
        deleted = sorted(name for name in positions if not self.segment.with_name(name).exists())
        # The last one's row stays: a backup copies the segments first and the positions after them. Without
        # the row, a segment that was triaged and deleted in between would wait in the backup once more.
        if outdated := deleted[:-1]:
            conn.execute(journal.delete().where(journal.c.segment.in_(outdated)))


def _copy_segment(segment: Path, target: Path) -> None:
    if segment.stat().st_size >= MAX_SEGMENT_BYTES:
        # A full segment is not written to any more, so a link is as good as a copy. On another disk there
        # are no links.
        with suppress(OSError):
            target.hardlink_to(segment)
            return
    # With its permissions: only the owner may read it.
    shutil.copy(segment, target)


def _load_positions(conn: sa.Connection) -> dict[str, ReadPosition]:
    rows = conn.execute(sa.select(journal.c.segment, journal.c.place, journal.c.done))
    return {segment: ReadPosition(offset, done) for segment, offset, done in rows}
