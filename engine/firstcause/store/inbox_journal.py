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
from firstcause.store.inbox import Parcel, TakenError, Waiting
from firstcause.store.tables import journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from firstcause.store.inbox import Batch, Rows

log = logging.getLogger("firstcause.store")

SEGMENT = 32 * 1024 * 1024
"""Bytes after which a writer begins another segment."""

_SUFFIX = ".frames"
_MARK = b"fcj1"
_FRAME = struct.Struct(">4sII")
"""The mark, the length of the rest, and its CRC-32."""
_CONTENT = struct.Struct(">qI")
"""When it was received, in microseconds since 1970, and how many events it has; the parcels follow."""
_PARCEL = struct.Struct(">IIBB")
"""How many events, the lengths of body and key, and whether it is as sent; key and body follow."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_GONE = -1


class Place(NamedTuple):
    """How far a segment is triaged: up to the frame at `offset`, and of that so many events."""

    offset: int = 0
    done: int = 0


class _Frame(NamedTuple):
    """start, end: where it begins, and where the next one does. parcels: packed."""

    start: int
    end: int
    received_at: datetime
    events: int
    parcels: bytes


class Journal:
    """The inbox of a store, in a folder of its own. rows: its table, where older versions put theirs."""

    def __init__(self, folder: Path, rows: Rows) -> None:
        self._folder = folder
        self._rows = rows
        self._lock = threading.Lock()
        self._writer: _Writer | None = None

    def store(self, parcels: Sequence[Parcel], now: datetime) -> None:
        """See `Inbox`."""
        if not parcels:
            return
        frame = _framed(parcels, now)
        with self._lock, self._said():
            if self._writer is None or self._writer.deleted:
                self._leave()
                self._writer = _Writer(self._folder)
            try:
                self._writer.append(frame)
            except OSError:
                self._leave()
                raise
            if self._writer.size >= SEGMENT:
                self._leave()

    def waiting(self, conn: sa.Connection, limit: int) -> Batch:
        """See `Inbox`."""
        older = self._rows.waiting(conn, limit)
        return older if older.parcels else self.written(conn, limit) or older

    def written(self, conn: sa.Connection, limit: int) -> JournalBatch | None:
        """The oldest of the journal itself, of one segment at a time; None where nothing waits."""
        places = _places(conn)
        with self._said():
            for name in self._segments():
                before = places.get(name, Place())
                with _opened(self._folder / name) as fd:
                    parcels, after = _read(fd, before, limit)
                    if parcels:
                        return JournalBatch(parcels, self._folder / name, before, after)
                    self._forget(name, fd, before)
        return None

    def count_waiting(self, conn: sa.Connection) -> int:
        """See `Inbox`."""
        events = self._rows.count_waiting(conn)
        places = _places(conn)
        with self._said():
            for name in self._segments():
                place = places.get(name, Place())
                with _opened(self._folder / name) as fd:
                    events += sum(each.events for each in _frames(fd, place.offset, whole=False)) - place.done
        return events

    def bytes_waiting(self, conn: sa.Connection) -> int:
        """See `Inbox`."""
        places, taken = _places(conn), self._rows.bytes_waiting(conn)
        with self._said():
            for name in self._segments():
                with suppress(FileNotFoundError):
                    size = (self._folder / name).stat().st_size
                    taken += max(0, size - places.get(name, Place()).offset)
        return taken

    def copy(self, folder: Path) -> None:
        """The segments, as they are now, into another folder, where they stay when they go here."""
        folder.mkdir(mode=0o700)
        for name in self._segments():
            # One that has gone meanwhile is triaged.
            with suppress(FileNotFoundError):
                _copied(self._folder / name, folder / name)

    def close(self) -> None:
        """What waits stays, for whoever triages next."""
        with self._lock:
            self._leave()

    def _leave(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _segments(self) -> list[str]:
        """The oldest first."""
        try:
            return sorted(path.name for path in self._folder.iterdir() if path.suffix == _SUFFIX)
        except FileNotFoundError:
            return []

    def _forget(self, name: str, fd: int, place: Place) -> None:
        """Delete a segment of which nothing waits, unless its writer still has it."""
        if fd == _GONE:
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if next(_frames(fd, place.offset), None) is None:
            if torn := os.fstat(fd).st_size - place.offset:
                log.warning("the last %d bytes of %s were cut off before they were acknowledged", torn, name)
            (self._folder / name).unlink(missing_ok=True)

    @contextmanager
    def _said(self) -> Iterator[None]:
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

    parcels: Sequence[Waiting]
    segment: Path
    before: Place
    after: Place

    def take(self, conn: sa.Connection) -> None:
        """See `Batch`."""
        places = _places(conn)
        mine = self.segment.name
        # Of a segment that is gone there may be no row any more.
        if places.get(mine, Place()) != self.before or not self.segment.exists():
            raise TakenError
        values = {"place": self.after.offset, "done": self.after.done}
        if mine in places:
            conn.execute(journal.update().where(journal.c.segment == mine).values(values))
        else:
            conn.execute(journal.insert().values({"segment": mine, **values}))
        gone = [name for name in places if not self.segment.with_name(name).exists()]
        if gone:
            conn.execute(journal.delete().where(journal.c.segment.in_(gone)))


class _Writer:
    """Appends to a segment of its own."""

    def __init__(self, folder: Path) -> None:
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            on_disk(folder.parent)
        self._fd = _begun(folder)
        self.size = 0
        try:
            on_disk(folder)
        except OSError:
            self.close()
            raise

    @property
    def deleted(self) -> bool:
        """By somebody who tidies up; what is written would go with it."""
        return os.fstat(self._fd).st_nlink == 0

    def append(self, frame: bytes) -> None:
        """On disk when it returns; OSError where it is not, and nothing is there."""
        left = memoryview(frame)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
            os.fdatasync(self._fd)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise
        self.size += len(frame)

    def close(self) -> None:
        os.close(self._fd)


def _copied(segment: Path, to: Path) -> None:
    if segment.stat().st_size >= SEGMENT:
        # Nobody writes to it any more, so it need not be there twice; unless it is another disk.
        with suppress(OSError):
            to.hardlink_to(segment)
            return
    shutil.copyfile(segment, to)


def _begun(folder: Path) -> int:
    """A new segment, locked."""
    while True:
        # Never a name that was there before: the store may still hold how far that one was triaged.
        path = folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}{_SUFFIX}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return fd
        # Whoever looked for something to triage found it empty, and deleted it, before it was locked.
        os.close(fd)


def on_disk(path: Path) -> None:
    """What is in a file, or what a folder lists, is on disk only after this."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """_GONE where it has been deleted."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield _GONE
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _places(conn: sa.Connection) -> dict[str, Place]:
    rows = conn.execute(sa.select(journal.c.segment, journal.c.place, journal.c.done))
    return {segment: Place(offset, done) for segment, offset, done in rows}


def _framed(parcels: Sequence[Parcel], now: datetime) -> bytes:
    parts = [_CONTENT.pack((now - _EPOCH) // _TICK, sum(each.events for each in parcels))]
    for each in parcels:
        key = each.key.encode()
        parts += (_PARCEL.pack(each.events, len(each.body), len(key), each.as_sent), key, each.body)
    content = b"".join(parts)
    return _FRAME.pack(_MARK, len(content), zlib.crc32(content)) + content


def _unframed(frame: _Frame) -> Iterator[Parcel]:
    at, parcels = 0, frame.parcels
    while at < len(parcels):
        events, size, name, as_sent = _PARCEL.unpack_from(parcels, at)
        start = at + _PARCEL.size + name
        at = start + size
        yield Parcel(parcels[start:at], events, bool(as_sent), parcels[start - name : start].decode())


def _frames(fd: int, offset: int, *, whole: bool = True) -> Iterator[_Frame]:
    """Those from an offset on that are sound. whole: False for heads only, unchecked."""
    while fd != _GONE:
        frame = _frame(fd, offset, whole=whole)
        if frame is None:
            sound = _next(fd, offset + 1)
            if sound is None:
                return
            # The writer may have written there, and behind it, after the first look: the search must not
            # jump over what it finished meanwhile. Bytes appear in order, so that a second look settles it.
            if _frame(fd, offset, whole=whole) is not None:
                continue
            log.error("%d bytes of the inbox cannot be read; triage goes on behind them", sound - offset)
            offset = sound
            continue
        yield frame
        offset = frame.end


def _frame(fd: int, offset: int, *, whole: bool) -> _Frame | None:
    """None where none is, or one that is not sound."""
    head = os.pread(fd, _FRAME.size, offset)
    if len(head) < _FRAME.size or not head.startswith(_MARK):
        return None
    _, length, checksum = _FRAME.unpack(head)
    end = offset + len(head) + length
    if length < _CONTENT.size or end > os.fstat(fd).st_size:
        return None
    content = os.pread(fd, length if whole else _CONTENT.size, offset + len(head))
    if whole and zlib.crc32(content) != checksum:
        return None
    received, events = _CONTENT.unpack_from(content)
    return _Frame(offset, end, _EPOCH + received * _TICK, events, content[_CONTENT.size :])


def _next(fd: int, offset: int) -> int | None:
    """Where the next sound frame begins."""
    rest = os.pread(fd, os.fstat(fd).st_size, offset)
    at = rest.find(_MARK)
    while at >= 0:
        if _frame(fd, offset + at, whole=True) is not None:
            return offset + at
        at = rest.find(_MARK, at + 1)
    return None


def _read(fd: int, place: Place, limit: int) -> tuple[list[Waiting], Place]:
    """What waits from a place on, and the place behind it."""
    found: list[Waiting] = []
    events = size = 0
    for frame in _frames(fd, place.offset):
        if frame.start != place.offset:
            place = Place(frame.start)
        passed = 0
        for parcel in _unframed(frame):
            mine = min(max(place.done - passed, 0), parcel.events)
            left = parcel.events - mine
            if found and left and (events + left > limit or size + len(parcel.body) > inbox.MOST_BYTES):
                return found, place
            take = min(left, limit)
            if left:
                found.append(Waiting(parcel, frame.received_at, mine, take))
                events, size = events + take, size + len(parcel.body)
                place = Place(frame.start, passed + mine + take)
            if take < left:
                return found, place
            passed += parcel.events
        place = Place(frame.end)
    return found, place
