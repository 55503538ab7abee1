"""What rules may know beside the alerts: readings, settings, and their recent changes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core import facts
from firstcause.core.facts import Change
from firstcause.core.health.comparison import DEPLOYMENT, difference_facts
from firstcause.core.health.second_look import mark_seen_once
from firstcause.core.health.snapshot import to_observation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.health.comparison import Difference
    from firstcause.core.health.snapshot import ProbeObservation
    from firstcause.core.model import Fact
    from firstcause.core.reading import Reading

MAX_LATENCIES = 1000
"""Checks of a probe that count for the percentiles of one snapshot."""

CHANGE_TTL = timedelta(hours=1)
"""How long a change stays a fact."""


@dataclass(frozen=True)
class LiveFacts:
    """Facts are what probes, plugins and the store report now."""


@dataclass(frozen=True)
class ReplayedFacts:
    """Facts are those that were recorded with the history that is replayed, and nothing else."""

    facts: Sequence[Fact] = ()


@dataclass
class SystemState:
    """What was last observed of the system, beside its alerts.

    readings: the last reading by probe, with the probe's component.
    presence: by variable, whether it is set. checksums: by variable that is set, the checksum of its value.
    changes: recent changes, the oldest first.
    fact_source: whether rules get these observations or the facts of a replayed history.
    latencies: milliseconds of each probe's checks since the last snapshot.
    differences: facts of what differs from the last known good state.
    """

    readings: dict[str, tuple[str, Reading]] = field(default_factory=dict)
    presence: Mapping[str, bool] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    fact_source: LiveFacts | ReplayedFacts = field(default_factory=LiveFacts)
    latencies: dict[str, list[float]] = field(default_factory=dict)
    differences: list[Fact] = field(default_factory=list)
    # Triage and the health checks write at the same time, and questions read meanwhile.
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False, compare=False)

    def update_readings(self, readings: Mapping[str, tuple[str, Reading]], now: datetime) -> None:
        """Store new readings, and record a change where a probe's status differs from its last one."""
        with self._lock:
            for name, (component, reading) in readings.items():
                previous = self.readings.get(name)
                if previous is not None and previous[1].status is not reading.status:
                    self._record_change(
                        Change("infrastructure", component, name, previous[1].status, reading.status, now)
                    )
                if reading.latency_ms is not None:
                    latencies = self.latencies.setdefault(name, [])
                    latencies.append(reading.latency_ms)
                    del latencies[:-MAX_LATENCIES]
            # A new dictionary, as others may be iterating over the old one.
            self.readings = self.readings | dict(readings)

    def mark_seen_once(self, failures: Mapping[str, Reading]) -> None:
        """Show failures that were seen once, without counting them. Probes without a reading stay so."""
        with self._lock:
            self.readings = self.readings | {
                name: (self.readings[name][0], mark_seen_once(self.readings[name][1], failure))
                for name, failure in failures.items()
                if name in self.readings
            }

    def take_observations(self) -> dict[str, ProbeObservation]:
        """Return the last readings as a snapshot keeps them, with the latencies since the last snapshot."""
        with self._lock:
            observations = {
                name: to_observation(component, reading, self.latencies.get(name, ()))
                for name, (component, reading) in self.readings.items()
            }
            self.latencies.clear()
            return observations

    def update_comparison(self, differences: Iterable[Difference], regressions: Collection[str]) -> None:
        """Store the differences from the last known good state; differing settings are changes, too.

        regressions: keys of the differences that are regressions. Other measured differences do not count.
        """
        with self._lock:
            relevant = [
                difference
                for difference in differences
                if difference.key in regressions or not difference.is_measured
            ]
            self.differences = difference_facts(relevant, regressions)
            recorded = {(recorded_change.category, recorded_change.name) for recorded_change in self.changes}
            # Releases are facts of their own as soon as an event reports them.
            changed_settings = [
                difference
                for difference in relevant
                if difference.is_setting and difference.category != DEPLOYMENT
            ]
            for difference in changed_settings:
                if difference.since is not None and (difference.category, difference.name) not in recorded:
                    change = Change(
                        difference.category,
                        difference.component,
                        difference.name,
                        str(difference.before),
                        str(difference.after),
                        difference.since,
                    )
                    self._record_change(change)

    def update_environment(self, presence: Mapping[str, bool], now: datetime) -> None:
        """Store which settings are present, and record a change for each that was added or removed."""
        with self._lock:
            for name, present in presence.items():
                previous = self.presence.get(name)
                if previous is not None and previous is not present:
                    labels = {True: "present", False: "absent"}
                    self._record_change(
                        Change("environment", None, name, labels[previous], labels[present], now)
                    )
            self.presence = presence

    def _record_change(self, change: Change) -> None:
        self.changes = [
            earlier for earlier in self.changes if change.changed_at - earlier.changed_at <= CHANGE_TTL
        ] + [change]

    def build_facts(self, now: datetime) -> list[Fact]:
        """Build the facts that rules get beside alerts, as of `now`."""
        with self._lock:
            if isinstance(self.fact_source, ReplayedFacts):
                return [*self.fact_source.facts]
            collected: list[Fact] = []
            for probe, (component, reading) in self.readings.items():
                collected.append(facts.reading_fact(probe, component, reading))
                collected += facts.metric_facts(probe, component, reading)
            recent = (change for change in self.changes if now - change.changed_at <= CHANGE_TTL)
            collected += self.differences
            return [
                *collected,
                *facts.env_facts(self.presence),
                *(facts.change_fact(change, now) for change in recent),
            ]
