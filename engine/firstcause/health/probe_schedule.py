"""Decides when each probe is due, by a monotonic clock."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from firstcause.hookspecs.types import Probe

_CRC_RANGE = 2**32


def compute_offset(name: str) -> float:
    """Return a fixed share, 0 to 1, for a name, so that probes spread over their interval."""
    return zlib.crc32(name.encode()) / _CRC_RANGE


@dataclass
class Schedule:
    """The probes and when each ran last. Times are seconds of a monotonic clock.

    A probe is due at once when it is new. After that each probe has its own moments, so that two hundred
    probes with one interval do not start together. A probe's jitter, a share of its interval, varies them.
    suspect_gap: seconds that a suspected probe rests before it may run again.
    """

    probes: Mapping[str, Probe]
    suspect_gap: float
    _next_due: dict[str, float] = field(default_factory=dict)
    _last_started: dict[str, float] = field(default_factory=dict)
    _rounds: dict[str, int] = field(default_factory=dict)
    _second_look_at: dict[str, float] = field(default_factory=dict)

    def list_due(self, now: float, suspects: Collection[str] = ()) -> list[str]:
        """List the names of the probes that are due. suspects: names of probes that may run early."""
        return [name for name in self.probes if self._is_due(name, now, suspects)]

    def _is_due(self, name: str, now: float, suspects: Collection[str]) -> bool:
        if name not in self._next_due or now >= min(
            self._next_due[name], self._second_look_at.get(name, self._next_due[name])
        ):
            return True
        return name in suspects and now - self._last_started[name] >= self.suspect_gap

    def mark_started(self, names: Iterable[str], now: float) -> None:
        """Record that these probes were started, and set when they are due next."""
        for name in names:
            probe = self.probes[name]
            self._last_started[name] = now
            self._second_look_at.pop(name, None)
            if name not in self._next_due:
                # The first wait is shorter by the name's share, which sets the probes' moments apart.
                self._next_due[name] = now + probe.interval * (1 - compute_offset(name) / 2)
            elif now >= self._next_due[name]:
                missed = (now - self._next_due[name]) // probe.interval
                self._next_due[name] += probe.interval * (1 + missed) + self._compute_jitter(name)

    def add_second_looks(self, names: Iterable[str], due_at: float) -> None:
        """Have these probes run by then at the latest; their own moments stay."""
        self._second_look_at |= dict.fromkeys(names, due_at)

    def _compute_jitter(self, name: str) -> float:
        """Vary the interval by up to half of the jitter either way; its average stays."""
        probe = self.probes[name]
        round_number = self._rounds[name] = self._rounds.get(name, 0) + 1
        current, previous = (
            compute_offset(f"{name} {round_index}") if round_index else 0.5
            for round_index in (round_number, round_number - 1)
        )
        return probe.interval * probe.jitter * (current - previous)

    def compute_wait(self, now: float, max_wait_s: float) -> float:
        """Return the seconds until the next probe is due, at most `max_wait_s`."""
        due_times = (*self._next_due.values(), *self._second_look_at.values())
        return max(0.0, min([max_wait_s, *(due_at - now for due_at in due_times)]))
