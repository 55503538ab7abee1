"""The threads in which plugins' code runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class PluginThread(threading.Thread):
    """A thread that makes one call of a plugin's code. What is printed in this thread goes to the log.

    The thread is a daemon: a call that hangs must not keep the program from ending.
    """

    def __init__(self, name: str, call: Callable[[], None]) -> None:
        super().__init__(target=call, name=name, daemon=True)
