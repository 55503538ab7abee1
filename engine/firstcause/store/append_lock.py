"""Tells other processes which bytes of a file are being appended and are not yet synced.

The writer holds a lock on them while it writes and syncs, and the kernel frees the lock if the writer dies.
The lock belongs to the open file (Linux's "open file description lock"), so it also holds between two inboxes
of one process. Where the system has no such locks, nothing is locked and readers see everything.
"""

from __future__ import annotations

import fcntl
import struct
import sys
from contextlib import suppress

_FLOCK = struct.Struct("hhqqi")
"""C's struct flock of 64-bit Linux: type, whence, start, length, pid (0). A length of 0 is up to the end."""

_IS_SUPPORTED = sys.platform == "linux" and sys.maxsize > 2**32


def lock_append(fd: int, start: int) -> None:
    """Lock all bytes from an offset on, for the writer of the file."""
    _set_lock(fd, fcntl.F_WRLCK, start)


def unlock_append(fd: int) -> None:
    """Free the lock of `lock_append`."""
    _set_lock(fd, fcntl.F_UNLCK, 0)


def find_append_start(fd: int) -> int | None:
    """Find from where on a file is locked by its writer; None where nothing of it is."""
    if not _IS_SUPPORTED:
        return None
    # A file system without locks has no lock to wait for.
    with suppress(OSError):
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_RDLCK, 0, 0, 0, 0))
        kind, _, start, _, _ = _FLOCK.unpack(answer)
        return None if kind == fcntl.F_UNLCK else int(start)
    return None


def _set_lock(fd: int, kind: int, start: int) -> None:
    if _IS_SUPPORTED:
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, 0, start, 0, 0))
