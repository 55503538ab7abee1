"""What rules may know besides the alerts, and what of it changed of late."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core import facts
from firstcause.core.facts import Change

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from firstcause.core.model import Fact, Reading

REMEMBERED = timedelta(hours=1)
"""How long a change is a fact."""


@dataclass
class World:
    """The last readings by probe, each with its component, and which settings are present.

    told: facts that stand in place of all of these, where history is played again.
    """

    readings: dict[str, tuple[str, Reading]] = field(default_factory=dict)
    presence: Mapping[str, bool] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    told: list[Fact] | None = None

    def probed(self, readings: Mapping[str, tuple[str, Reading]], now: datetime) -> None:
        """Take new readings; one of another status than before is a change."""
        for name, (component, reading) in readings.items():
            before = self.readings.get(name)
            if before is not None and before[1].status is not reading.status:
                self._changed(
                    Change("infrastructure", component, name, before[1].status, reading.status, now)
                )
        self.readings |= readings

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
        return [*found, *facts.env_facts(self.presence), *(facts.change_fact(each, now) for each in recent)]
