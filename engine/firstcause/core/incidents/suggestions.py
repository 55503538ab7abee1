"""What mended incidents of the same cause before, and how far that can be believed."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from firstcause.core.model import Frozen, Incident, IncidentStatus, Time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

SHOWN = 3
"""So many suggestions are made of an incident."""

_LISTED = 5
"""Incidents that one names."""


@dataclass(frozen=True)
class Trust:
    """How past fixes are weighed; rule files set these as thresholds `fix_...`.

    held_for: seconds without the same fault after which a fix held. half_life: seconds after which one
    counts half. elsewhere: what is left of a fix of another service. doubt: failures that are imagined of
    each, as one success proves little. least: the confidence below which nothing is suggested.
    """

    held_for: float = 86_400.0
    half_life: float = 90 * 86_400.0
    elsewhere: float = 0.7
    doubt: float = 1.0
    least: float = 0.2


class Suggestion(Frozen):
    """What people wrote of how they mended it. fix: in the words of the last of them.

    confidence: 0 to 1. incidents: their numbers, the newest first. tried: how many it was to mend; held: of
    those, after which the fault stayed away.
    """

    fix: str
    confidence: float
    because: str
    tried: int
    held: int
    incidents: tuple[str, ...]
    last_used: Time


class _Use(NamedTuple):
    """One incident that a fix was to mend. words: the fix, comparable. held: the fault stayed away."""

    incident: Incident
    at: datetime
    words: str
    held: bool


class Experience:
    """What people did about one code.

    alike: the incidents with that root code in any order, open ones too, as what opens within `held_for` of
    a fix says that it did not hold.
    """

    def __init__(self, alike: Iterable[Incident], trust: Trust) -> None:
        known = [each for each in alike if not each.drill]
        self._trust = trust
        openings: dict[str | None, list[datetime]] = defaultdict(list)
        for each in sorted(known, key=lambda each: each.opened_at):
            openings[each.root.service].append(each.opened_at)
        self._uses = [
            _Use(each, at, _words(fix), _held(at, openings[each.root.service], trust))
            for each in known
            if each.status is IncidentStatus.RESOLVED and (at := each.resolved_at) and (fix := each.fix)
        ]

    def suggestions(self, incident: Incident) -> tuple[Suggestion, ...]:
        """What was over before the incident began, the likeliest first."""
        alike: dict[str, list[_Use]] = defaultdict(list)
        for each in self._uses:
            if each.at <= incident.opened_at and each.incident.stored_id != incident.stored_id:
                alike[each.words].append(each)
        made = (self._suggestion(incident, uses) for uses in alike.values())
        good = [each for each in made if each.confidence >= self._trust.least]
        # The text is the last key: two fixes that are equally good keep their order, whatever came in first.
        order = sorted(good, key=lambda each: (-each.confidence, -each.last_used.timestamp(), each.fix))
        return tuple(order[:SHOWN])

    def _suggestion(self, incident: Incident, uses: Sequence[_Use]) -> Suggestion:
        newest = sorted(uses, key=lambda each: (each.at, each.incident.stored_id or 0), reverse=True)
        weights = [self._weight(incident, each) for each in newest]
        believed = sum(weight for weight, each in zip(weights, newest, strict=True) if each.held)
        return Suggestion(
            fix=newest[0].incident.fix or "",
            confidence=round(believed / (sum(weights) + self._trust.doubt), 3),
            because=_because(incident, newest),
            tried=len(newest),
            held=sum(each.held for each in newest),
            incidents=tuple(str(each.incident.stored_id) for each in newest[:_LISTED]),
            last_used=newest[0].at,
        )

    def _weight(self, incident: Incident, use: _Use) -> float:
        age = (incident.opened_at - use.at).total_seconds()
        share = 1.0 if _same_place(incident, use) else self._trust.elsewhere
        return float(0.5 ** (age / self._trust.half_life)) * share


def _same_place(incident: Incident, use: _Use) -> bool:
    return incident.root.service == use.incident.root.service


def _held(at: datetime, openings: Sequence[datetime], trust: Trust) -> bool:
    """openings: of all incidents of that fault, in order."""
    following = bisect_left(openings, at)
    return following == len(openings) or (openings[following] - at).total_seconds() > trust.held_for


def _because(incident: Incident, newest: Sequence[_Use]) -> str:
    days = (incident.opened_at - newest[0].at).days
    when = "less than a day before" if days == 0 else f"{days} day{'s' if days > 1 else ''} before"
    place = "" if any(_same_place(incident, each) for each in newest) else " at another service"
    held = sum(each.held for each in newest)
    if len(newest) == 1:
        return f"used once{place}, {when}, and it {'held' if held else 'came back'}"
    kept = "held each time" if held == len(newest) else f"held {held} of {len(newest)} times"
    return f"used {len(newest)} times{place}, last {when}, and it {kept}"


def _words(fix: str) -> str:
    """The same for texts that say the same but for case, spaces and the full stop."""
    return " ".join(fix.split()).rstrip(".!").casefold()
