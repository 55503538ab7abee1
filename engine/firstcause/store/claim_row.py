"""The claim of the only daemon on a Postgres store: a row with a time and a fence.

An advisory lock belongs to a session. Behind a pooler that shares sessions (PgBouncer, `pool_mode =
transaction`) it outlives the daemon or is given twice, and `idle_session_timeout` ends it without a word.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.store.locks import LockHeldError, lock_writers
from firstcause.store.tables import store_claim

if TYPE_CHECKING:
    from collections.abc import Callable

CLAIM_TTL_S = 15.0
"""Seconds after its last renewal in which a claim holds."""

RENEWAL_INTERVAL_S = 1.0
"""Seconds between the renewals of a claim whose holder does not renew it itself."""

_SELECT_CLAIM = sa.text(
    "SELECT fence, holder, renewed_at, expires_at > clock_timestamp() AS holds FROM store_claim WHERE id = 1"
)
_TAKE_CLAIM = sa.text(
    "INSERT INTO store_claim (id, fence, holder, renewed_at, expires_at)"
    " VALUES (1, 1, :holder, clock_timestamp(), clock_timestamp() + make_interval(secs => :ttl))"
    " ON CONFLICT (id) DO UPDATE SET fence = store_claim.fence + 1, holder = excluded.holder,"
    " renewed_at = excluded.renewed_at, expires_at = excluded.expires_at RETURNING fence"
)
_RENEW_CLAIM = sa.text(
    "UPDATE store_claim SET renewed_at = clock_timestamp(),"
    " expires_at = clock_timestamp() + make_interval(secs => :ttl)"
    " WHERE id = 1 AND fence = :fence AND holder = :holder"
)
_END_CLAIM = sa.text(
    "UPDATE store_claim SET expires_at = clock_timestamp() WHERE id = 1 AND fence = :fence"
    " AND holder = :holder"
)
_SELECT_OWN = sa.text("SELECT 1 FROM store_claim WHERE id = 1 AND fence = :fence AND holder = :holder")


@dataclass(frozen=True)
class _Process:
    """What a process is known by. A claim of a process of this machine that has ended holds nothing.

    place: the boot of the machine and the process's number space, empty where the system does not tell.
    started: when the process began, in the kernel's ticks, so that a number used again does not match.
    """

    place: str
    pid: int
    started: str

    def has_ended(self) -> bool:
        """Whether it is known to run no longer."""
        here = describe_process()
        return bool(self.place) and self.place == here.place and _read_start(self.pid) != self.started


class ClaimRow:
    """The claim on a Postgres store; see `locks.DaemonLock`. SQLAlchemyError where the server is away.

    renews_itself: a thread renews the claim; otherwise `confirm` does, and its caller calls that in time.
    """

    def __init__(self, engine: sa.Engine, *, renews_itself: bool) -> None:
        self._engine = engine
        self._renews_itself = renews_itself
        process = describe_process()
        self._holder = "|".join((
            socket.gethostname()[:100], process.place, str(process.pid), process.started, secrets.token_hex(8)
        ))  # fmt: skip
        self._fence: int | None = None
        self._released = threading.Event()

    def acquire(self) -> None:
        """See `DaemonLock`. A store without the table has no daemon of this version."""
        with self._engine.connect() as conn:
            if not sa.inspect(conn).has_table(store_claim.name):
                return
            self._require_free(conn)
            conn.rollback()
            # Waits for the last transaction of the previous holder, whose fence no longer holds after this.
            lock_writers(conn)
            self._require_free(conn)
            values = {"holder": self._holder, "ttl": CLAIM_TTL_S}
            self._fence = conn.execute(_TAKE_CLAIM, values).scalar_one()
            conn.commit()
        if self._renews_itself and not self._released.is_set():
            threading.Thread(target=self._renew_until_released, name="store-claim", daemon=True).start()

    def _require_free(self, conn: sa.Connection) -> None:
        row = conn.execute(_SELECT_CLAIM).first()
        if row is not None and row.holds and not _parse_process(row.holder).has_ended():
            raise LockHeldError((row.fence, row.renewed_at))

    def confirm(self) -> bool:
        """See `DaemonLock`. It renews the claim."""
        if self._renew_claim():
            return False
        self.acquire()
        return True

    def _renew_claim(self) -> bool:
        """Renew the claim; False where another process took it. A claim that is late holds until then."""
        if self._fence is None:
            return False
        values = {"fence": self._fence, "holder": self._holder}
        with self._engine.begin() as conn:
            is_renewed = conn.execute(_RENEW_CLAIM, {**values, "ttl": CLAIM_TTL_S}).rowcount == 1
        if not is_renewed:
            self._fence = None
        return is_renewed

    def check(self, conn: sa.Connection) -> None:
        """See `DaemonLock`."""
        values = {"fence": self._fence, "holder": self._holder}
        if self._fence is None or conn.execute(_SELECT_OWN, values).first() is None:
            raise LockHeldError

    def release(self) -> None:
        """See `DaemonLock`. Where the server is away, the claim ends by its time."""
        self._released.set()
        fence, self._fence = self._fence, None
        if fence is not None:
            with suppress(sa.exc.SQLAlchemyError), self._engine.begin() as conn:
                conn.execute(_END_CLAIM, {"fence": fence, "holder": self._holder})

    def _renew_until_released(self) -> None:
        renew: Callable[[], bool] = self._renew_claim
        while not self._released.wait(RENEWAL_INTERVAL_S):
            with suppress(sa.exc.SQLAlchemyError):
                if not renew():
                    return


def describe_process() -> _Process:
    """Describe this process; without a place where the system has no /proc."""
    pid = os.getpid()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        place = f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        place = ""
    return _Process(place, pid, _read_start(pid))


def _read_start(pid: int) -> str:
    """Read when a process began; empty where there is none of this number."""
    try:
        # The name before the last parenthesis may hold anything.
        state, *fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in {"Z", "X"} else fields[18]


def _parse_process(holder: str) -> _Process:
    parts = holder.split("|")
    if len(parts) != 5 or not parts[2].isdecimal():  # noqa: PLR2004 - as it is written above
        return _Process("", 0, "")
    return _Process(parts[1], int(parts[2]), parts[3])
