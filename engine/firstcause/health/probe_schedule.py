"""When each probe is due, by a clock that only goes forward."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from firstcause.hookspecs.types import Probe

_CRC_RANGE = 2**32


def compute_offset(name: str) -> float:
    """A share of 0 to 1 that is always the same for a name, so that probes spread over their interval."""
    return zlib.crc32(name.encode()) / _CRC_RANGE


@dataclass
class Schedule:
    """The probes and when each ran last. Times: seconds of a monotonic clock.

    Every probe runs at once when it is first asked. From then on it keeps to moments of its own, so that
    two hundred of one interval do not all start together; jitter, a share of the interval, spreads each
    probe's own moments too. suspect_gap: seconds that a suspected probe rests before it may run again.
    """

    probes: Mapping[str, Probe]
    suspect_gap: float
    _next_due: dict[str, float] = field(default_factory=dict)
    _last_started: dict[str, float] = field(default_factory=dict)
    _rounds: dict[str, int] = field(default_factory=dict)

    def list_due(self, now: float, suspects: Collection[str] = ()) -> list[str]:
        """The names of those to run now. suspects: of those that should run ahead of their time."""
        return [name for name in self.probes if self._is_due(name, now, suspects)]

    def _is_due(self, name: str, now: float, suspects: Collection[str]) -> bool:
        if name not in self._next_due or now >= self._next_due[name]:
            return True
        return name in suspects and now - self._last_started[name] >= self.suspect_gap

    def mark_started(self, names: Iterable[str], now: float) -> None:
        """These were started at that time."""
        for name in names:
            probe = self.probes[name]
            self._last_started[name] = now
            if name not in self._next_due:
                # The first wait is shorter by the name's share; the moments of all then lie apart.
                self._next_due[name] = now + probe.interval * (1 - compute_offset(name) / 2)
            elif now >= self._next_due[name]:
                missed = (now - self._next_due[name]) // probe.interval
                self._next_due[name] += probe.interval * (1 + missed) + self._compute_jitter(name)

    def _compute_jitter(self, name: str) -> float:
        """To and fro by up to half of the jitter, so that the interval stays what it is on average."""
        probe = self.probes[name]
        round_number = self._rounds[name] = self._rounds.get(name, 0) + 1
        current, previous = (
            compute_offset(f"{name} {round_index}") if round_index else 0.5
            for round_index in (round_number, round_number - 1)
        )
        return probe.interval * probe.jitter * (current - previous)

    def compute_wait(self, now: float, max_wait_s: float) -> float:
        """Seconds until the next is due, at most `longest`."""
        return max(0.0, min([max_wait_s, *(due_at - now for due_at in self._next_due.values())]))
