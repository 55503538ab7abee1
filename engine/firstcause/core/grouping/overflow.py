"""Errors of more kinds than anybody can look at: what is beyond the limit counts in one alert a service.

A sender that writes ids into its codes or messages in a way that no template sees through makes every event
an error of its own. An entry of the catalog is never folded away, and what has an alert goes on in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from firstcause.core.grouping.fingerprint import Occurrence, further

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from firstcause.core.grouping.aggregation import Folded

FURTHER = "FURTHER_ERRORS"
"""The code of the alert in which the errors of further kinds count."""

Place = tuple[str | None, str | None]
"""Service and tenant."""

_EXACT = 2048
_WIDTH = 10
_SPACE = 16**_WIDTH

_fingerprints = lru_cache(maxsize=4096)(further)


@dataclass(frozen=True)
class Limits:
    """How many kinds of errors without an entry may have alerts of their own.

    each: of a service and tenant. all: together.
    """

    each: int
    all: int


@dataclass
class Room:
    """How many kinds there are by now. by_place: those alive and those opened within the hour."""

    limits: Limits
    by_place: dict[Place, int]

    def __post_init__(self) -> None:
        self._all = sum(self.by_place.values())

    def full(self, place: Place) -> bool:
        """Whether the next kind is one too many for the place itself."""
        return self.by_place.get(place, 0) >= self.limits.each

    def beyond(self, place: Place) -> bool:
        """Whether it is one too many for the place, or for all."""
        return self.full(place) or self._all >= self.limits.all

    def take(self, place: Place) -> None:
        self.by_place[place] = self.by_place.get(place, 0) + 1
        self._all += 1


def counts(occurrence: Occurrence) -> bool:
    """Whether it may be folded away: nothing that is known, over, or a drill."""
    event = occurrence.event
    return occurrence.entry is None and not (event.resolved or event.drill)


def homes(occurrences: Iterable[Occurrence]) -> set[str]:
    """Fingerprints of the alerts in which these may come to count."""
    services = {each.event.service for each in occurrences if counts(each)}
    return {_fingerprints(service)[1] for service in (*services, None)} if services else set()


def bounded(
    occurrences: Sequence[Occurrence], opens: Callable[[Occurrence], bool], room: Room
) -> list[Occurrence]:
    """The occurrences, those that are beyond the limits as what they count in.

    opens: whether one has no alert that it belongs to. The first to come are the ones that have their own.
    """
    opened: set[str] = set()
    kept: list[Occurrence] = []
    for each in occurrences:
        if counts(each) and each.fingerprint not in opened and opens(each):
            place = each.event.service, each.event.tenant
            if room.beyond(place):
                kept.append(_folded(each, place[0] if room.full(place) else None))
                continue
            room.take(place)
            opened.add(each.fingerprint)
        kept.append(each)
    return kept


def _folded(occurrence: Occurrence, service: str | None) -> Occurrence:
    fault, fingerprint = _fingerprints(service)
    event = occurrence.event.model_copy(update={"service": service, "tenant": None})
    return occurrence._replace(
        event=event,
        code=FURTHER,
        title=title(0, service),
        fault=fault,
        fingerprint=fingerprint,
        likeness=None,
        further=occurrence.fingerprint,
    )


def tell(folded: Folded, occurrences: Iterable[Occurrence]) -> None:
    """Have the alerts of further kinds say how many those are; rules look again when they have doubled."""
    kinds: dict[str, set[str]] = {}
    for each in occurrences:
        if each.further is not None and each.fingerprint in folded.counted:
            kinds.setdefault(each.fingerprint, set()).add(each.further[:_WIDTH])
    for name, seen in kinds.items():
        alert = folded.alerts[name]
        before, sketch = how_many(alert.kinds or "")[0], _joined(alert.kinds or "", seen)
        number, exactly = how_many(sketch)
        folded.alerts[name] = alert.model_copy(
            update={"kinds": sketch, "title": title(number, alert.service, exactly=exactly)}
        )
        if number.bit_length() > before.bit_length():
            folded.changed.add(name)


def title(number: int, service: str | None, *, exactly: bool = True) -> str:
    told = f"{number:,}" if exactly else f"about {_rounded(number):,}"
    return f"{told} further {'kind' if number == 1 else 'kinds'} of errors from {service or 'many services'}"


def how_many(sketch: str) -> tuple[int, bool]:
    """Distinct fingerprints in a sketch, and whether that is exact: up to 2,048 it is, then within some 5 %.

    The sketch holds the smallest of all hashes seen (k minimum values: Bar-Yossef et al., "Counting Distinct
    Elements in a Data Stream", RANDOM 2002), so it is bounded and does not depend on the order.
    """
    number = len(sketch) // _WIDTH
    if number < _EXACT:
        return number, True
    return int((number - 1) * _SPACE / int(sketch[-_WIDTH:], 16)), False


def _joined(sketch: str, seen: set[str]) -> str:
    known = {sketch[at : at + _WIDTH] for at in range(0, len(sketch), _WIDTH)}
    return "".join(sorted(known | seen)[:_EXACT])


def _rounded(number: int) -> int:
    return round(number, 2 - len(str(number)))
