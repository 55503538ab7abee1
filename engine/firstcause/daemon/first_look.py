"""The first look after a downtime: nothing is sent or ended before it is known what is still true."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from firstcause.core.text.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause.core.downtime import Downtime, RestartPolicy

log = logging.getLogger("firstcause")


class FirstLook:
    """Is over once every probe has been read, and everything that waits by then is triaged.

    downtime: None where no daemon ran before. have_probes_run: whether every probe has been read.
    """

    def __init__(
        self, downtime: Downtime | None, policy: RestartPolicy, have_probes_run: Callable[[], bool]
    ) -> None:
        self.downtime = downtime
        self._policy = policy
        self._have_probes_run = have_probes_run
        self._started = time.monotonic()
        self._over = threading.Event()
        if downtime is None or downtime.duration_s < policy.hold:
            self._over.set()
        else:
            length = format_duration(downtime.duration_s)
            log.info("did not run for %s: looking before anything is sent", length)

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    @property
    def needs_report(self) -> bool:
        """Whether the downtime was so long that people are notified of what is still open."""
        return self.downtime is not None and self.downtime.duration_s >= self._policy.report

    def can_end(self) -> bool:
        """Whether the look is over as soon as everything is triaged that waits now."""
        waited_long = time.monotonic() - self._started >= self._policy.wait
        return not self.is_over and (waited_long or self._have_probes_run())

    def end(self) -> None:
        self._over.set()
        log.info("the first look is over")
