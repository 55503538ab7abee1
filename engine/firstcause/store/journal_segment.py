"""Segments of the journal: files of frames that a writer appends to and triage reads.

A frame is written in one piece: a header with magic, length and checksum, the time of receipt, the number of
events, and the payloads. A frame that was cut off by a crash fails its checksum and is skipped.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import struct
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from firstcause.store import inbox
from firstcause.store.append_lock import find_append_start, lock_append, unlock_append
from firstcause.store.inbox import EventPayload, PendingPayload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

log = logging.getLogger("firstcause.store")

SEGMENT_SUFFIX = ".frames"
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


class SegmentWriter:
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
        lock_append(self._fd, self.size)
        try:
            while remaining:
                remaining = remaining[os.write(self._fd, remaining) :]
            os.fdatasync(self._fd)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise
        finally:
            unlock_append(self._fd)
        self.size += len(frame)

    def close(self) -> None:
        """Close the file, which also frees its lock."""
        os.close(self._fd)


@dataclass(frozen=True)
class Segment:
    """A segment that is open for reading.

    get_synced_size: name of a segment -> bytes that are synced; None where this process is not writing to it.
    """

    path: Path
    fd: int
    get_synced_size: Callable[[str], int | None]

    def measure_end(self) -> int:
        """Return how many bytes may be read.

        A frame is acknowledged only after the sync. Where the sync fails, the frame is cut off and its sender
        sends it again: read before that, its events would be triaged twice. So a segment is read up to the
        last sync. This process knows that of its own segment; another process holds what it has not yet
        synced locked.
        """
        # The size first: where the writer opened the segment in between, nothing was written before. A frame
        # that was in the file then is still locked, or synced, or cut off again.
        size = os.fstat(self.fd).st_size
        synced_size = self.get_synced_size(self.path.name)
        if synced_size is None:
            synced_size = find_append_start(self.fd)
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
                "inbox segment %s has %d bytes at %d that cannot be read; triage continues after them",
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


class SegmentCursor:
    """Walks over the events of a segment that wait for triage.

    position: up to where events were taken. current: the next payload with all its remaining events, None
    at the end. Example: the frame at offset 0 holds payloads of 3 and 2 events. At ReadPosition(0, 4) the
    first payload is triaged, and `current` is the second one with 1 event processed and 1 to process.
    """

    def __init__(self, segment: Segment, position: ReadPosition) -> None:
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


def read_batch(cursor: SegmentCursor, limit: int) -> list[PendingPayload]:
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


def _create_segment(folder: Path) -> tuple[str, int]:
    """Create a segment and lock it; returns its name and file descriptor."""
    while True:
        # Never a name that was used before: the store may still hold the position of that segment.
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}{SEGMENT_SUFFIX}"
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


def encode_frame(payloads: Sequence[EventPayload], now: datetime) -> bytes:
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
