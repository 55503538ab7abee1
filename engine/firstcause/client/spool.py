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
_MAX_AGE_S = 7 * 86400.0
_LOCK_TIMEOUT_S = 1.0
_HELD_LOCKS: set[int] = set()
"""Locks that are held now, for a forked child to let go."""


class Segment(NamedTuple):
    """Some of what waits. lines: whole ones only; a process may have been killed while it wrote."""

    path: Path
    lines: list[bytes]


def forget_locks() -> None:
    """In a child after a fork: the parent's locks stay the parent's, and must not outlive it by us."""
    for fd in list(_HELD_LOCKS):
        with contextlib.suppress(OSError):
            os.close(fd)
    _HELD_LOCKS.clear()


def prepare_folder(url: str, configured: str | None) -> Path:
    """The folder of what waits for the daemon of that url. OSError where none can be had."""
    name = hashlib.blake2b(url.encode(), digest_size=6).hexdigest()
    if configured is not None:
        return _create_folder(Path(configured) / name)
    try:
        return _create_folder(_find_state_folder() / "firstcause-spool" / name)
    except (OSError, RuntimeError):
        shared = Path(tempfile.gettempdir()) / f"firstcause-spool-{os.getuid()}"
        shared.mkdir(mode=0o700, exist_ok=True)
        status = shared.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            # In a folder that is writable for all, another user may have put it there.
            msg = f"{shared} is not a folder of this user's own"
            raise PermissionError(msg) from None
        return _create_folder(shared / name)


def _find_state_folder() -> Path:
    """systemd's state folder where it gave one, else the user's."""
    if state_directories := os.environ.get("STATE_DIRECTORY"):
        return Path(state_directories.partition(":")[0])
    state_home = os.environ.get("XDG_STATE_HOME")
    return Path(state_home) if state_home else Path.home() / ".local" / "state"


def _create_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"{folder} cannot be written to"
        raise PermissionError(msg)
    return folder


class Spool:
    """most_bytes: of all files together. Safe with several processes; every method may raise OSError."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self._max_bytes = max_bytes

    def has_pending(self) -> bool:
        return bool(self._list_segments())

    def append(self, lines: Sequence[bytes]) -> int:
        """How many of the lines there was room for; they are on disk then."""
        with _hold_lock(self.folder / "lock", _LOCK_TIMEOUT_S) as is_locked:
            if not is_locked:
                msg = f"{self.folder / 'lock'} is held by another process"
                raise TimeoutError(msg)
            segments = self._list_segments()
            free_bytes = self._max_bytes - sum(_file_size(path) for path in segments)
            fitting = _select_fitting(lines, free_bytes)
            if fitting:
                self._write_data(b"".join(line + b"\n" for line in fitting), segments)
            return len(fitting)

    @contextlib.contextmanager
    def claim_oldest(self) -> Iterator[Segment | None]:
        """Claim the first segment, so that no other process reads or writes it; None if there is none."""
        with _hold_lock(self.folder / "sending", 0) as is_locked:
            yield self._seal_oldest() if is_locked else None

    def remove(self, segment: Segment) -> None:
        segment.path.unlink(missing_ok=True)

    def expire(self, now: float) -> int:
        """Throws away what is a week old; how many events that were."""
        expired_count = 0
        with _hold_lock(self.folder / "sending", 0) as is_locked:
            for path in self._list_segments() if is_locked else ():
                if int(path.name.partition("-")[0]) / 1e9 < now - _MAX_AGE_S:
                    expired_count += path.read_bytes().count(b"\n")
                    path.unlink(missing_ok=True)
        return expired_count

    def _list_segments(self) -> list[Path]:
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - names are enough
        except FileNotFoundError:
            return []
        segment_names = [name for name in names if name.endswith((".open", ".sealed"))]
        return [self.folder / name for name in sorted(segment_names) if name.partition("-")[0].isdecimal()]

    def _write_data(self, data: bytes, segments: list[Path]) -> None:
        last = segments[-1] if segments else None
        if last is None or last.suffix != ".open" or _file_size(last) > SEGMENT_BYTES or _is_torn(last):
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

    def _seal_oldest(self) -> Segment | None:
        """The oldest, no longer written to."""
        with _hold_lock(self.folder / "lock", _LOCK_TIMEOUT_S) as is_locked:
            segments = self._list_segments() if is_locked else []
            if not segments:
                return None
            path = segments[0]
            if path.suffix == ".open":
                path = path.rename(path.with_suffix(".sealed"))
        *lines, _torn_line = path.read_bytes().split(b"\n")
        return Segment(path, lines)


def _select_fitting(lines: Sequence[bytes], free_bytes: int) -> list[bytes]:
    fitting = []
    for line in lines:
        free_bytes -= len(line) + 1
        if free_bytes < 0:
            break
        fitting.append(line)
    return fitting


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_torn(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        return True


@contextlib.contextmanager
def _hold_lock(path: Path, timeout: float) -> Iterator[bool]:
    """Whether the lock could be had within so many seconds. It ends with the process that holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _HELD_LOCKS.add(fd)
    try:
        is_locked = _try_lock(fd, time.monotonic() + timeout)
        try:
            yield is_locked
        finally:
            if is_locked:
                fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        _HELD_LOCKS.discard(fd)
        os.close(fd)


def _try_lock(fd: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True
