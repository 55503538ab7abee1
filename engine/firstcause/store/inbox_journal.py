"""The inbox as files: what comes in is written once, one after another, and read once.

A segment is a file of frames, a frame is what was stored together. Every process writes segments of its
own, which it holds locked; how far each is triaged is a row of the store (table `journal`), so that it is
committed with what triage made of it. A segment that is triaged and whose writer has left it is deleted.
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
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from firstcause.errors import StoreError
from firstcause.store import inbox
from firstcause.store.inbox import AlreadyClaimedError, EventPayload, PendingPayload
from firstcause.store.tables import journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from firstcause.store.inbox import PendingBatch, TableInbox

log = logging.getLogger("firstcause.store")

MAX_SEGMENT_BYTES = 32 * 1024 * 1024
"""Bytes after which a writer begins another segment."""

_SEGMENT_SUFFIX = ".frames"
_FRAME_MAGIC = b"fcj1"
_FRAME_HEADER = struct.Struct(">4sII")
"""The mark, the length of the rest, and its CRC-32."""
_CONTENT_HEADER = struct.Struct(">qI")
"""When it was received, in microseconds since 1970, and how many events it has; the parcels follow."""
_PAYLOAD_HEADER = struct.Struct(">IIBB")
"""How many events, the lengths of body and key, and whether it is as sent; key and body follow."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NO_FILE = -1


class ReadPosition(NamedTuple):
    """How far a segment is triaged: up to the frame at `offset`, and of that so many events."""

    offset: int = 0
    processed: int = 0


class _Frame(NamedTuple):
    """start, end: where it begins, and where the next one does. parcels: packed."""

    start: int
    end: int
    received_at: datetime
    event_count: int
    packed_payloads: bytes


class JournalInbox:
    """The inbox of a store, in a folder of its own. rows: its table, where older versions put theirs."""

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
        older = self._rows.load_pending(conn, limit)
        return older if older.payloads else self.load_from_segments(conn, limit) or older

    def load_from_segments(self, conn: sa.Connection, limit: int) -> JournalBatch | None:
        """The oldest of the journal itself, of one segment at a time; None where nothing waits."""
        positions = _load_positions(conn)
        with self._translate_os_errors():
            for name in self._list_segments():
                before = positions.get(name, ReadPosition())
                with _open_segment(self._folder / name) as fd:
                    payloads, after = _read_pending(fd, before, limit)
                    if payloads:
                        return JournalBatch(payloads, self._folder / name, before, after)
                    self._delete_segment(name, fd, before)
        return None

    def count_pending(self, conn: sa.Connection) -> int:
        """See `Inbox`."""
        events = self._rows.count_pending(conn)
        positions = _load_positions(conn)
        with self._translate_os_errors():
            for name in self._list_segments():
                position = positions.get(name, ReadPosition())
                with _open_segment(self._folder / name) as fd:
                    events += (
                        sum(
                            frame.event_count
                            for frame in _iter_frames(fd, position.offset, with_content=False)
                        )
                        - position.processed
                    )
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
        """The segments, as they are now, into another folder, where they stay when they go here."""
        folder.mkdir(mode=0o700)
        for name in self._list_segments():
            # One that has gone meanwhile is triaged.
            with suppress(FileNotFoundError):
                _copy_segment(self._folder / name, folder / name)

    def close(self) -> None:
        """What waits stays, for whoever triages next."""
        with self._lock:
            self._close_writer()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _list_segments(self) -> list[str]:
        """The oldest first."""
        try:
            return sorted(path.name for path in self._folder.iterdir() if path.suffix == _SEGMENT_SUFFIX)
        except FileNotFoundError:
            return []

    def _delete_segment(self, name: str, fd: int, position: ReadPosition) -> None:
        """Delete a segment of which nothing waits, unless its writer still has it."""
        if fd == _NO_FILE:
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if next(_iter_frames(fd, position.offset), None) is None:
            if torn := os.fstat(fd).st_size - position.offset:
                log.warning("the last %d bytes of %s were cut off before they were acknowledged", torn, name)
            (self._folder / name).unlink(missing_ok=True)

    @contextmanager
    def _translate_os_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            msg = (
                f"the inbox in {self._folder} cannot be used: {error.strerror}; "
                "check that its disk has room and that we may write there"
            )
            raise StoreError(msg) from error


@dataclass(frozen=True)
class JournalBatch:
    """before, after: how far the segment was and will be triaged."""

    payloads: Sequence[PendingPayload]
    segment: Path
    before: ReadPosition
    after: ReadPosition

    def mark_processed(self, conn: sa.Connection) -> None:
        """See `Batch`."""
        positions = _load_positions(conn)
        segment_name = self.segment.name
        # Of a segment that is gone there may be no row any more.
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
    """Appends to a segment of its own."""

    def __init__(self, folder: Path) -> None:
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            fsync_path(folder.parent)
        self._fd = _create_segment(folder)
        self.size = 0
        try:
            fsync_path(folder)
        except OSError:
            self.close()
            raise

    @property
    def deleted(self) -> bool:
        """By somebody who tidies up; what is written would go with it."""
        return os.fstat(self._fd).st_nlink == 0

    def append(self, frame: bytes) -> None:
        """On disk when it returns; OSError where it is not, and nothing is there."""
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
        os.close(self._fd)


def _copy_segment(segment: Path, target: Path) -> None:
    if segment.stat().st_size >= MAX_SEGMENT_BYTES:
        # Nobody writes to it any more, so it need not be there twice; unless it is another disk.
        with suppress(OSError):
            target.hardlink_to(segment)
            return
    shutil.copyfile(segment, target)


def _create_segment(folder: Path) -> int:
    """A new segment, locked."""
    while True:
        # Never a name that was there before: the store may still hold how far that one was triaged.
        path = folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}{_SEGMENT_SUFFIX}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return fd
        # Whoever looked for something to triage found it empty, and deleted it, before it was locked.
        os.close(fd)


def fsync_path(path: Path) -> None:
    """What is in a file, or what a folder lists, is on disk only after this."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _open_segment(path: Path) -> Iterator[int]:
    """_GONE where it has been deleted."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield _NO_FILE
        return
    try:
        yield fd
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
        events, size, key_size, as_sent = _PAYLOAD_HEADER.unpack_from(packed, position)
        start = position + _PAYLOAD_HEADER.size + key_size
        position = start + size
        yield EventPayload(
            packed[start:position], events, bool(as_sent), packed[start - key_size : start].decode()
        )


def _iter_frames(fd: int, offset: int, *, with_content: bool = True) -> Iterator[_Frame]:
    """Those from an offset on that are sound. whole: False for heads only, unchecked."""
    while fd != _NO_FILE:
        frame = _read_frame(fd, offset, with_content=with_content)
        if frame is None:
            next_offset = _find_next_frame(fd, offset + 1)
            if next_offset is None:
                return
            # The writer may have written there, and behind it, after the first look: the search must not
            # jump over what it finished meanwhile. Bytes appear in order, so that a second look settles it.
            if _read_frame(fd, offset, with_content=with_content) is not None:
                continue
            log.error(
                "%d bytes of the inbox cannot be read; triage goes on behind them", next_offset - offset
            )
            offset = next_offset
            continue
        yield frame
        offset = frame.end


def _read_frame(fd: int, offset: int, *, with_content: bool) -> _Frame | None:
    """None where none is, or one that is not sound."""
    head = os.pread(fd, _FRAME_HEADER.size, offset)
    if len(head) < _FRAME_HEADER.size or not head.startswith(_FRAME_MAGIC):
        return None
    _, length, checksum = _FRAME_HEADER.unpack(head)
    end = offset + len(head) + length
    if length < _CONTENT_HEADER.size or end > os.fstat(fd).st_size:
        return None
    content = os.pread(fd, length if with_content else _CONTENT_HEADER.size, offset + len(head))
    if with_content and zlib.crc32(content) != checksum:
        return None
    received, events = _CONTENT_HEADER.unpack_from(content)
    return _Frame(offset, end, _EPOCH + received * _MICROSECOND, events, content[_CONTENT_HEADER.size :])


def _find_next_frame(fd: int, offset: int) -> int | None:
    """Where the next sound frame begins."""
    rest = os.pread(fd, os.fstat(fd).st_size, offset)
    index = rest.find(_FRAME_MAGIC)
    while index >= 0:
        if _read_frame(fd, offset + index, with_content=True) is not None:
            return offset + index
        index = rest.find(_FRAME_MAGIC, index + 1)
    return None


def _read_pending(fd: int, position: ReadPosition, limit: int) -> tuple[list[PendingPayload], ReadPosition]:
    """What waits from a place on, and the place behind it."""
    pending: list[PendingPayload] = []
    events = size = 0
    for frame in _iter_frames(fd, position.offset):
        if frame.start != position.offset:
            position = ReadPosition(frame.start)
        events_before = 0
        for payload in _decode_frame(frame):
            processed = min(max(position.processed - events_before, 0), payload.event_count)
            remaining = payload.event_count - processed
            if (
                pending
                and remaining
                and (events + remaining > limit or size + len(payload.body) > inbox.MAX_BATCH_BYTES)
            ):
                return pending, position
            to_process = min(remaining, limit)
            if remaining:
                pending.append(PendingPayload(payload, frame.received_at, processed, to_process))
                events, size = events + to_process, size + len(payload.body)
                position = ReadPosition(frame.start, events_before + processed + to_process)
            if to_process < remaining:
                return pending, position
            events_before += payload.event_count
        position = ReadPosition(frame.end)
    return pending, position
