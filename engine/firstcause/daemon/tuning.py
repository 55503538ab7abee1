"""How the process is set up: memory, the collector, and how threads take turns."""

from __future__ import annotations

import ctypes
import gc
import sys

SWITCH_INTERVAL_S = 0.0002
"""Seconds after which a thread that computes lets another on."""

_MALLOPT_OPTIONS = {-8: 2, -3: 256 * 1024, -1: 256 * 1024}
"""mallopt's M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD: the default is a pool for each thread, and
the larger what was freed once, the more of what is free is kept."""


def return_freed_memory() -> None:
    """Have the C library give memory back after a storm; before the first thread is begun."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        # Not glibc.
        return
    for option, value in _MALLOPT_OPTIONS.items():
        mallopt(option, value)


def tune_interpreter() -> None:
    """Set the interpreter up for a process that lives long and whose senders wait while it computes."""
    # What is there now stays: the collector need not look at it again after every batch.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    # By default a thread with an answer waits 5 ms for triage to yield, at every step.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
