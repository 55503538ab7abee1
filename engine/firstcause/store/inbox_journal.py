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
import secrets
import shutil
import struct
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from firstcause.errors import StoreError
from firstcause.store import inbox
from firstcause.store.inbox import AlreadyClaimedError, EventPayload, PendingPayload
from firstcause.store.tables import journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from firstcause.store.inbox import PendingBatch, TableInbox

log = logging.getLogger("firstcause.store")

MAX_SEGMENT_BYTES = 32 * 1024 * 1024
"""Bytes after which a writer begins a new segment."""

_SEGMENT_SUFFIX = ".frames"
_FRAME_MAGIC = b"fcj1"
_FRAME_HEADER = struct.Struct(">4sII")
"""The magic, the length of the content, and its CRC-32."""
_CONTENT_HEADER = struct.Struct(">qI")
"""The time of receipt in microseconds since 1970, and how many events follow, packed in payloads."""
_PAYLOAD_HEADER = struct.Struct(">IIBB")
"""How many events, the lengths of body and key, and whether the body is verbatim; key and body follow."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class ReadPosition(NamedTuple):
    """How far a segment is triaged.

    offset: of the first frame of which events wait. processed: how many events of that frame are triaged.
    """

    offset: int = 0
    processed: int = 0


class _Frame(NamedTuple):
    """One frame. start, end: offsets of this frame and of the next one. packed_payloads: not yet decoded."""

    start: int
    end: int
    received_at: datetime
    event_count: int
    packed_payloads: bytes


class JournalInbox:
    """The inbox of a SQLite store, in a folder of its own.

    rows: the inbox table. It holds events after a downgrade and in a backup, which is one file.
    """

    def __init__(self, folder: Path, rows: TableInbox) -> None:
        self._folder = folder
        self._rows = rows
        self._lock = threading.Lock()
        self._writer: _SegmentWriter | None = None

    def store(self, payloads: Sequence[EventPayload], now: datetime) -> None:
        """See `Inbox`."""
        if not payloads:
            return
        frame = _encode_frame(payloads, now)
        with self._lock, self._translate_os_errors():
            if self._writer is None or self._writer.deleted:
                self._close_writer()
                self._writer = _SegmentWriter(self._folder)
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
                    cursor = _SegmentCursor(segment, before)
                    if payloads := _read_batch(cursor, limit):
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
            return sorted(path.name for path in self._folder.iterdir() if path.suffix == _SEGMENT_SUFFIX)
        except FileNotFoundError:
            return []

    @contextmanager
    def _open_segment(self, name: str) -> Iterator[_Segment | None]:
        """Open a segment for reading; None where it has been deleted."""
        path = self._folder / name
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            yield _Segment(path, fd, self._get_synced_size)
        finally:
            os.close(fd)

    def _get_synced_size(self, name: str) -> int | None:
        """Return how many bytes of a segment are synced; None where this process is not writing to it."""
        # Without the lock, which the writer holds while the disk works.
        writer = self._writer
        return writer.size if writer is not None and writer.name == name else None

    def _delete_segment(self, segment: _Segment, position: ReadPosition) -> None:
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
            raise StoreError(msg) from error


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
        missing = [name for name in positions if not self.segment.with_name(name).exists()]
        if missing:
            conn.execute(journal.delete().where(journal.c.segment.in_(missing)))


class _SegmentWriter:
    """Appends frames to a new segment. size: bytes that are synced to disk."""

    def __init__(self, folder: Path) -> None:
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            fsync_path(folder.parent)
        self.name, self._fd = _create_segment(folder)
        self.size = 0
        try:
            fsync_path(folder)
        except OSError:
            self.close()
            raise

    @property
    def deleted(self) -> bool:
        """Whether somebody deleted the file; events that are appended to it would be lost."""
        return os.fstat(self._fd).st_nlink == 0

    def append(self, frame: bytes) -> None:
        """Append a frame; it is on disk when this returns. OSError where it is not; it is cut off then."""
        remaining = memoryview(frame)
        try:
            while remaining:
                remaining = remaining[os.write(self._fd, remaining) :]
            os.fdatasync(self._fd)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise
        self.size += len(frame)

    def close(self) -> None:
        """Close the file, which also frees its lock."""
        os.close(self._fd)


@dataclass(frozen=True)
class _Segment:
    """A segment that is open for reading.

    get_synced_size: name of a segment -> bytes that are synced; None where this process is not writing to it.
    """

    path: Path
    fd: int
    get_synced_size: Callable[[str], int | None]

    def measure_end(self) -> int:
        """Return how many bytes may be read.

        A frame is acknowledged only after the sync. Where the sync fails, the frame is cut off and its sender
        sends it again: read before that, its events would be triaged twice. So a segment that this process
        writes to is read up to the last sync. Of another process's segment the size of the file is all that
        is known.
        """
        # The size first: where the writer opened the segment in between, nothing was written before.
        size = os.fstat(self.fd).st_size
        synced_size = self.get_synced_size(self.path.name)
        return size if synced_size is None else min(size, synced_size)

    def iter_frames(self, offset: int, *, with_content: bool = True) -> Iterator[_Frame]:
        """Yield the sound frames from an offset on. with_content False: without payloads, unchecked."""
        while True:
            frame = self.read_frame(offset, with_content=with_content)
            if frame is not None:
                yield frame
                offset = frame.end
                continue
            next_offset = self.find_next_frame(offset + 1)
            if next_offset is None:
                return
            # The search must not jump over frames that the writer finished meanwhile. Example: at the first
            # look the frame at 100 is half written; then the writer completes it and adds one at 300, which
            # the search finds. Bytes appear in order, so a second look at 100 settles it.
            if self.read_frame(offset, with_content=with_content) is not None:
                continue
            log.error(
                "inbox segment %s has %d bytes at %d that cannot be read; triage goes on after them",
                self.path.name, next_offset - offset, offset,
            )  # fmt: skip
            offset = next_offset

    def read_frame(self, offset: int, *, with_content: bool) -> _Frame | None:
        """Read the frame at an offset; None where there is no frame, or a damaged one."""
        head = os.pread(self.fd, _FRAME_HEADER.size, offset)
        if len(head) < _FRAME_HEADER.size or not head.startswith(_FRAME_MAGIC):
            return None
        _, length, checksum = _FRAME_HEADER.unpack(head)
        end = offset + len(head) + length
        if length < _CONTENT_HEADER.size or end > self.measure_end():
            return None
        content = os.pread(self.fd, length if with_content else _CONTENT_HEADER.size, offset + len(head))
        if with_content and zlib.crc32(content) != checksum:
            return None
        received, events = _CONTENT_HEADER.unpack_from(content)
        return _Frame(offset, end, _EPOCH + received * _MICROSECOND, events, content[_CONTENT_HEADER.size :])

    def find_next_frame(self, offset: int) -> int | None:
        """Find the offset of the next sound frame."""
        rest = os.pread(self.fd, max(0, self.measure_end() - offset), offset)
        index = rest.find(_FRAME_MAGIC)
        while index >= 0:
            if self.read_frame(offset + index, with_content=True) is not None:
                return offset + index
            index = rest.find(_FRAME_MAGIC, index + 1)
        return None


class _SegmentCursor:
    """Walks over the events of a segment that wait for triage.

    position: up to where events were taken. current: the next payload with all its remaining events, None
    at the end. Example: the frame at offset 0 holds payloads of 3 and 2 events. At ReadPosition(0, 4) the
    first payload is triaged, and `current` is the second one with 1 event processed and 1 to process.
    """

    def __init__(self, segment: _Segment, position: ReadPosition) -> None:
        self.position = position
        self.current: PendingPayload | None = None
        self._frames = segment.iter_frames(position.offset)
        self._frame: _Frame | None = None
        self._payloads: Iterator[EventPayload] = iter(())
        self._payload_start = 0
        """How many events of the frame come before the current payload."""
        self._load_current()

    def advance(self, event_count: int) -> None:
        """Take so many events of the current payload; go to the next one when all of them are taken."""
        if self.current is None:
            return
        offset, processed = self.position
        self.position = ReadPosition(offset, processed + event_count)
        remaining = self.current.to_process - event_count
        if remaining:
            taken = self.current.processed + event_count
            self.current = replace(self.current, processed=taken, to_process=remaining)
        else:
            self._payload_start += self.current.payload.event_count
            self._load_current()

    def _load_current(self) -> None:
        """Go to the next payload of which events wait, in this frame or a later one."""
        while True:
            for payload in self._payloads:
                processed = min(max(self.position.processed - self._payload_start, 0), payload.event_count)
                remaining = payload.event_count - processed
                if remaining and self._frame is not None:
                    self.current = PendingPayload(payload, self._frame.received_at, processed, remaining)
                    return
                self._payload_start += payload.event_count
            if not self._enter_next_frame():
                self.current = None
                return

    def _enter_next_frame(self) -> bool:
        """Move the position to the end of the frame, then to the next frame; False where none follows."""
        if self._frame is not None:
            self.position = ReadPosition(self._frame.end)
        self._frame = next(self._frames, None)
        if self._frame is None:
            return False
        if self._frame.start != self.position.offset:
            # Bytes that cannot be read came before this frame; no event of the frame is processed.
            self.position = ReadPosition(self._frame.start)
        self._payloads, self._payload_start = _decode_frame(self._frame), 0
        return True


def _read_batch(cursor: _SegmentCursor, limit: int) -> list[PendingPayload]:
    """Take payloads up to `limit` events and MAX_BATCH_BYTES; at least a part of the first one."""
    batch: list[PendingPayload] = []
    events = size = 0
    while (current := cursor.current) is not None:
        body_size = len(current.payload.body)
        too_large = events + current.to_process > limit or size + body_size > inbox.MAX_BATCH_BYTES
        if batch and too_large:
            break
        pending = replace(current, to_process=min(current.to_process, limit))
        batch.append(pending)
        events, size = events + pending.to_process, size + body_size
        cursor.advance(pending.to_process)
    return batch


def _copy_segment(segment: Path, target: Path) -> None:
    if segment.stat().st_size >= MAX_SEGMENT_BYTES:
        # A full segment is not written to any more, so a link is as good as a copy. On another disk there
        # are no links.
        with suppress(OSError):
            target.hardlink_to(segment)
            return
    shutil.copyfile(segment, target)


def _create_segment(folder: Path) -> tuple[str, int]:
    """Create a segment and lock it; returns its name and file descriptor."""
    while True:
        # Never a name that was used before: the store may still hold the position of that segment.
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}{_SEGMENT_SUFFIX}"
        fd = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return name, fd
        # A reader that looked for events found the file empty and deleted it before it was locked.
        os.close(fd)


def fsync_path(path: Path) -> None:
    """Sync a file's content, or a folder's list of files, to disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _load_positions(conn: sa.Connection) -> dict[str, ReadPosition]:
    rows = conn.execute(sa.select(journal.c.segment, journal.c.place, journal.c.done))
    return {segment: ReadPosition(offset, done) for segment, offset, done in rows}


def _encode_frame(payloads: Sequence[EventPayload], now: datetime) -> bytes:
    parts = [
        _CONTENT_HEADER.pack((now - _EPOCH) // _MICROSECOND, sum(payload.event_count for payload in payloads))
    ]
    for payload in payloads:
        key = payload.key.encode()
        parts += (
            _PAYLOAD_HEADER.pack(payload.event_count, len(payload.body), len(key), payload.verbatim),
            key,
            payload.body,
        )
    content = b"".join(parts)
    return _FRAME_HEADER.pack(_FRAME_MAGIC, len(content), zlib.crc32(content)) + content


def _decode_frame(frame: _Frame) -> Iterator[EventPayload]:
    position, packed = 0, frame.packed_payloads
    while position < len(packed):
        events, size, key_size, verbatim = _PAYLOAD_HEADER.unpack_from(packed, position)
        start = position + _PAYLOAD_HEADER.size + key_size
        position = start + size
        yield EventPayload(
            packed[start:position], events, bool(verbatim), packed[start - key_size : start].decode()
        )
