"""A clock that runs faster than the real one, for the processes that are started with its environment.

A small library is preloaded that answers what the time is. Timeouts and sleeps are by the monotonic clock,
which it leaves alone. libfaketime 0.9.10 is no alternative: with it, Python's time.sleep fails with EINVAL.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

COMPILER = shutil.which("cc") or shutil.which("gcc")

_SOURCE = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long real_start, shift;
static int speed;

__attribute__((constructor)) static void read_environment(void) {
    const char *start = getenv("CLOCK_REAL_START_NS"), *ahead = getenv("CLOCK_SHIFT_NS");
    const char *factor = getenv("CLOCK_SPEED");
    if (start && ahead && factor) {
        real_start = atoll(start), shift = atoll(ahead), speed = atoi(factor);
    }
}

int clock_gettime(clockid_t id, struct timespec *ts) {
    int failed = syscall(SYS_clock_gettime, id, ts);
    if (!failed && speed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        long long real = ts->tv_sec * 1000000000LL + ts->tv_nsec;
        long long simulated = real_start + shift + (real - real_start) * speed;
        ts->tv_sec = simulated / 1000000000LL, ts->tv_nsec = simulated % 1000000000LL;
    }
    return failed;
}

int gettimeofday(struct timeval *tv, void *zone) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec, tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (seconds) *seconds = ts.tv_sec;
    return ts.tv_sec;
}
"""


class SimulatedClock:
    """Begins now, `ahead` of the real clock, and runs `speed` times as fast. Needs COMPILER."""

    def __init__(self, folder: Path, speed: int, ahead: timedelta) -> None:
        self.speed = speed
        self._ahead = ahead
        self._real_start_ns = time.time_ns()
        source, library = folder / "clock.c", folder / "clock.so"
        source.write_text(_SOURCE, encoding="utf-8")
        assert COMPILER is not None
        subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", library, source], check=True, timeout=60)
        self.environment = {
            "LD_PRELOAD": str(library),
            "CLOCK_REAL_START_NS": str(self._real_start_ns),
            "CLOCK_SHIFT_NS": str(round(ahead.total_seconds() * 1e9)),
            "CLOCK_SPEED": str(speed),
        }

    def now(self) -> datetime:
        elapsed_s = (time.time_ns() - self._real_start_ns) / 1e9
        start = datetime.fromtimestamp(self._real_start_ns / 1e9, UTC) + self._ahead
        return start + timedelta(seconds=elapsed_s * self.speed)

    def to_real_s(self, simulated: timedelta) -> float:
        return simulated.total_seconds() / self.speed
