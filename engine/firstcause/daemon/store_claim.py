"""The daemon's claim on its store: only one daemon triages, delivers and sweeps."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from firstcause.errors import StoreError, StoreHeldError, StoreUnavailableError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from firstcause.app.application import Application

log = logging.getLogger("firstcause")

CONFIRM_INTERVAL_S = 1.0
"""Seconds between two looks whether the store still knows that this daemon has it."""

MAX_UNCONFIRMED_S = 10.0
"""Seconds after which a store that does not answer that question no longer counts as this daemon's.

Fewer than those for which a claim on Postgres holds: another daemon may take it after that.
"""


class StoreClaim:
    """Holds the lock of the only daemon, and notices when it is lost.

    A claim on Postgres ends by its time where it is not renewed, and somebody can delete the file of SQLite's
    lock. Then another daemon may take the store. This one takes the lock again if it can; if not, it stops
    work.
    """

    def __init__(self, application: Application, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = application.database
        self._clock = clock
        self._lock = contextlib.ExitStack()
        self._confirm: Callable[[], bool] = lambda: False
        self._confirmed_at = 0.0
        self._failure: StoreError | None = None

    def take(self, stopping: threading.Event) -> None:
        """Take the lock; StoreError where another daemon holds it.

        It waits for the end of a claim on Postgres that nobody renews: its daemon did not stop by itself.
        """
        first_sign: object = None
        while True:
            try:
                lock = self._database.hold_daemon_lock(renews_itself=False)
                self._confirm = self._lock.enter_context(lock)
            except StoreHeldError as error:
                is_renewed = first_sign is not None and error.sign_of_life != first_sign
                if error.sign_of_life is None or is_renewed:
                    raise
                if first_sign is None:
                    log.info("a daemon that may have ended has the claim on the store; waiting for its end")
                first_sign = error.sign_of_life
                if stopping.wait(CONFIRM_INTERVAL_S):
                    raise
            else:
                self._confirmed_at = self._clock()
                return

    def confirm(self) -> None:
        """Make sure that the lock is held; take it again where it was lost. StoreError where it is not."""
        try:
            was_lost = self._confirm()
        except StoreError as error:
            self._failure = error
            raise
        self._failure, self._confirmed_at = None, self._clock()
        if was_lost:
            log.warning(
                "the lock on %s was lost, and is taken again; no other daemon has it",
                self._database.display_url,
            )

    def require(self) -> None:
        """Raise StoreError unless the store is known to be this daemon's. Asks nothing but memory."""
        failure, silent_s = self._failure, self._clock() - self._confirmed_at
        if failure is not None:
            raise type(failure)(str(failure))
        if silent_s > MAX_UNCONFIRMED_S:
            msg = (
                f"the database at {self._database.display_url} has not answered for {silent_s:.0f} s; "
                "check that its server runs"
            )
            raise StoreUnavailableError(msg)

    def watch(self, stopping: threading.Event) -> None:
        """One step of the daemon's loop: confirm, then wait."""
        self.confirm()
        stopping.wait(CONFIRM_INTERVAL_S)

    def release(self) -> None:
        """Free the lock."""
        self._lock.close()
