"""The threads in which probes' checks run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ProbeThread(threading.Thread):
    """A thread that runs one check. What is printed in this thread goes to the log.

    The thread is a daemon: a check that hangs must not keep the program from ending.
    """

    def __init__(self, probe_name: str, run_check: Callable[[], None]) -> None:
        super().__init__(target=run_check, name=f"probe {probe_name}", daemon=True)
