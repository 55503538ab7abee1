"""What rules may know besides the alerts, and what of it changed of late."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core import facts
from firstcause.core.facts import Change
from firstcause.core.health.comparison import DEPLOYMENT, difference_facts
from firstcause.core.health.snapshot import observed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from firstcause.core.health.comparison import Difference
    from firstcause.core.health.snapshot import Observed
    from firstcause.core.model import Fact, Reading

LATENCIES = 1000
"""How many checks of a probe count for the percentiles of one snapshot."""

REMEMBERED = timedelta(hours=1)
"""How long a change is a fact."""


@dataclass
class World:
    """The last readings by probe, each with its component, and which settings are present.

    checksums: of those that are, by their values. latencies: milliseconds of each probe's checks since the
    last snapshot. differences: from the last known good state.

    told: facts that stand in place of all of these, where history is played again.
    """

    readings: dict[str, tuple[str, Reading]] = field(default_factory=dict)
    presence: Mapping[str, bool] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    told: list[Fact] | None = None
    latencies: dict[str, list[float]] = field(default_factory=dict)
    differences: list[Fact] = field(default_factory=list)

    def probed(self, readings: Mapping[str, tuple[str, Reading]], now: datetime) -> None:
        """Take new readings; one of another status than before is a change."""
        for name, (component, reading) in readings.items():
            before = self.readings.get(name)
            if before is not None and before[1].status is not reading.status:
                self._changed(
                    Change("infrastructure", component, name, before[1].status, reading.status, now)
                )
            if reading.latency_ms is not None:
                kept = self.latencies.setdefault(name, [])
                kept.append(reading.latency_ms)
                del kept[:-LATENCIES]
        self.readings |= readings

    def observed(self) -> dict[str, Observed]:
        """What probes saw last, as a snapshot keeps it; their latencies since the snapshot before."""
        seen = {
            name: observed(component, reading, self.latencies.get(name, ()))
            for name, (component, reading) in self.readings.items()
        }
        self.latencies.clear()
        return seen

    def compared(self, found: Iterable[Difference], regressions: Collection[str]) -> None:
        """Take how it is against the last known good state, with what changed since, even before we ran."""
        listed = [each for each in found if each.key in regressions or not each.measured]
        self.differences = difference_facts(listed, regressions)
        known = {(each.category, each.name) for each in self.changes}
        # Releases are facts by themselves, as soon as they are seen.
        changed = [each for each in listed if each.setting and each.category != DEPLOYMENT]
        for each in changed:
            if each.since is not None and (each.category, each.name) not in known:
                change = Change(
                    each.category, each.component, each.name, str(each.before), str(each.after), each.since
                )
                self._changed(change)

    def looked(self, presence: Mapping[str, bool], now: datetime) -> None:
        """Take which settings are present; one that came or went is a change."""
        for name, present in presence.items():
            before = self.presence.get(name)
            if before is not None and before is not present:
                words = {True: "present", False: "absent"}
                self._changed(Change("environment", None, name, words[before], words[present], now))
        self.presence = presence

    def _changed(self, change: Change) -> None:
        self.changes = [each for each in self.changes if change.at - each.at <= REMEMBERED] + [change]

    def facts(self, now: datetime) -> list[Fact]:
        if self.told is not None:
            return self.told
        found: list[Fact] = []
        for probe, (component, reading) in self.readings.items():
            found.append(facts.reading_fact(probe, component, reading))
            found += facts.metric_facts(probe, component, reading)
        recent = (each for each in self.changes if now - each.at <= REMEMBERED)
        found += self.differences
        return [*found, *facts.env_facts(self.presence), *(facts.change_fact(each, now) for each in recent)]
