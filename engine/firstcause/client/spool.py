"""What could not be sent yet, on disk: files of NDJSON, oldest first, shared by all processes of a user."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SEGMENT_BYTES = 256 * 1024
_OLDEST = 7 * 86400.0
_PATIENCE = 1.0
_OPEN: set[int] = set()
"""Locks that are held now, for a forked child to let go."""


class Segment(NamedTuple):
    """Some of what waits. lines: whole ones only; a process may have been killed while it wrote."""

    path: Path
    lines: list[bytes]


def forget_locks() -> None:
    """In a child after a fork: the parent's locks stay the parent's, and must not outlive it by us."""
    for fd in list(_OPEN):
        with contextlib.suppress(OSError):
            os.close(fd)
    _OPEN.clear()


def folder_for(url: str, given: str | None) -> Path:
    """The folder of what waits for the daemon of that url. OSError where none can be had."""
    name = hashlib.blake2b(url.encode(), digest_size=6).hexdigest()
    if given is not None:
        return _made(Path(given) / name)
    try:
        return _made(_state() / "firstcause-spool" / name)
    except (OSError, RuntimeError):
        shared = Path(tempfile.gettempdir()) / f"firstcause-spool-{os.getuid()}"
        shared.mkdir(mode=0o700, exist_ok=True)
        found = shared.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            # In a folder that all may write to, somebody else may have put it there.
            msg = f"{shared} is not a folder of this user's own"
            raise PermissionError(msg) from None
        return _made(shared / name)


def _state() -> Path:
    """systemd's state folder where it gave one, else the user's."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    named = os.environ.get("XDG_STATE_HOME")
    return Path(named) if named else Path.home() / ".local" / "state"


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"{folder} cannot be written to"
        raise PermissionError(msg)
    return folder


class Spool:
    """most_bytes: of all files together. Safe with several processes; every method may raise OSError."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self._most = most_bytes

    def pending(self) -> bool:
        return bool(self._segments())

    def append(self, lines: Sequence[bytes]) -> int:
        """How many of the lines there was room for; they are on disk then."""
        with _locked(self.folder / "lock", _PATIENCE) as ours:
            if not ours:
                msg = f"{self.folder / 'lock'} is held by another process"
                raise TimeoutError(msg)
            segments = self._segments()
            room = self._most - sum(_size(path) for path in segments)
            fitting = _fitting(lines, room)
            if fitting:
                self._write(b"".join(line + b"\n" for line in fitting), segments)
            return len(fitting)

    @contextlib.contextmanager
    def oldest(self) -> Iterator[Segment | None]:
        """The first segment, which nobody else reads or writes meanwhile; None where there is none."""
        with _locked(self.folder / "sending", 0) as ours:
            yield self._sealed() if ours else None

    def done(self, segment: Segment) -> None:
        segment.path.unlink(missing_ok=True)

    def expire(self, now: float) -> int:
        """Throws away what is a week old; how many events that were."""
        gone = 0
        with _locked(self.folder / "sending", 0) as ours:
            for path in self._segments() if ours else ():
                if int(path.name.partition("-")[0]) / 1e9 < now - _OLDEST:
                    gone += path.read_bytes().count(b"\n")
                    path.unlink(missing_ok=True)
        return gone

    def _segments(self) -> list[Path]:
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - names are enough
        except FileNotFoundError:
            return []
        ours = [name for name in names if name.endswith((".open", ".sealed"))]
        return [self.folder / name for name in sorted(ours) if name.partition("-")[0].isdecimal()]

    def _write(self, data: bytes, segments: list[Path]) -> None:
        last = segments[-1] if segments else None
        if last is None or last.suffix != ".open" or _size(last) > SEGMENT_BYTES or _torn(last):
            newest = int(last.name.partition("-")[0]) if last else 0
            # A clock that was put back must not bring the new before the old.
            last = self.folder / f"{max(time.time_ns(), newest + 1):020d}-{os.getpid()}.open"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        fd = os.open(last, flags, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)

    def _sealed(self) -> Segment | None:
        """The oldest, no longer written to."""
        with _locked(self.folder / "lock", _PATIENCE) as ours:
            segments = self._segments() if ours else []
            if not segments:
                return None
            path = segments[0]
            if path.suffix == ".open":
                path = path.rename(path.with_suffix(".sealed"))
        *whole, _torn_line = path.read_bytes().split(b"\n")
        return Segment(path, whole)


def _fitting(lines: Sequence[bytes], room: int) -> list[bytes]:
    found = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        found.append(line)
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _torn(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        return True


@contextlib.contextmanager
def _locked(path: Path, patience: float) -> Iterator[bool]:
    """Whether the lock could be had within so many seconds. It ends with the process that holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _OPEN.add(fd)
    try:
        ours = _lock(fd, time.monotonic() + patience)
        try:
            yield ours
        finally:
            if ours:
                fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        _OPEN.discard(fd)
        os.close(fd)


def _lock(fd: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True
