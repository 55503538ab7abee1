"""Limits how many kinds of errors have alerts: kinds beyond the limit count in one alert a service.

A sender that writes ids into its codes or messages, in a form that no template masks, makes every event a
kind of its own. A kind that the catalog describes, or that has an alert already, is never limited.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from firstcause.core.grouping.fingerprint import Occurrence, overflow_fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from firstcause.core.grouping.aggregation import Aggregation

OVERFLOW_CODE = "OTHER_ERRORS"
"""The code of the alert in which the kinds beyond the limit count."""

ServiceTenant = tuple[str | None, str | None]
"""Service and tenant."""

_MAX_EXACT_COUNT = 2048
_HASH_WIDTH = 10
_HASH_SPACE = 16**_HASH_WIDTH

_cached_fingerprint = lru_cache(maxsize=4096)(overflow_fingerprint)


@dataclass(frozen=True)
class KindLimits:
    """How many kinds of errors without a catalog entry may have alerts of their own.

    per_service: for one service and tenant. total: for all services together.
    """

    per_service: int
    total: int


@dataclass
class KindBudget:
    """How many kinds of errors have alerts so far.

    kinds_by_service: kinds that are active or were opened within the last hour.
    """

    limits: KindLimits
    kinds_by_service: dict[ServiceTenant, int]

    def __post_init__(self) -> None:
        self._total = sum(self.kinds_by_service.values())

    def is_full(self, location: ServiceTenant) -> bool:
        """Whether the service and tenant have reached their own limit."""
        return self.kinds_by_service.get(location, 0) >= self.limits.per_service

    def is_exceeded(self, location: ServiceTenant) -> bool:
        """Whether the service and tenant, or all services together, have reached their limit."""
        return self.is_full(location) or self._total >= self.limits.total

    def consume(self, location: ServiceTenant) -> None:
        self.kinds_by_service[location] = self.kinds_by_service.get(location, 0) + 1
        self._total += 1


def can_overflow(occurrence: Occurrence) -> bool:
    """Whether limits apply to an occurrence: not to a catalogued error, the end of an error, or a drill."""
    event = occurrence.event
    return occurrence.entry is None and not (event.resolved or event.drill)


def overflow_fingerprints(occurrences: Iterable[Occurrence]) -> set[str]:
    """Return the fingerprints of the alerts in which these occurrences may have to count."""
    services = {occurrence.event.service for occurrence in occurrences if can_overflow(occurrence)}
    return {_cached_fingerprint(service)[1] for service in (*services, None)} if services else set()


def apply_limits(
    occurrences: Sequence[Occurrence], opens_alert: Callable[[Occurrence], bool], budget: KindBudget
) -> list[Occurrence]:
    """Return the occurrences, those beyond the limits as occurrences of the alert in which they count.

    opens_alert: whether there is no alert that an occurrence belongs to.

    The kinds that come first get alerts of their own.
    """
    opened_fingerprints: set[str] = set()
    limited: list[Occurrence] = []
    for occurrence in occurrences:
        if (
            can_overflow(occurrence)
            and occurrence.fingerprint not in opened_fingerprints
            and opens_alert(occurrence)
        ):
            location = occurrence.event.service, occurrence.event.tenant
            if budget.is_exceeded(location):
                limited.append(_to_overflow(occurrence, location[0] if budget.is_full(location) else None))
                continue
            budget.consume(location)
            opened_fingerprints.add(occurrence.fingerprint)
        limited.append(occurrence)
    return limited


def _to_overflow(occurrence: Occurrence, service: str | None) -> Occurrence:
    fault, fingerprint = _cached_fingerprint(service)
    event = occurrence.event.model_copy(update={"service": service, "tenant": None})
    return occurrence._replace(
        event=event,
        code=OVERFLOW_CODE,
        group_title=format_title(0, service),
        fault=fault,
        fingerprint=fingerprint,
        likeness=None,
        own_fingerprint=occurrence.fingerprint,
    )


def update_titles(aggregation: Aggregation, occurrences: Iterable[Occurrence]) -> None:
    """Set how many kinds the overflow alerts stand for; rules see them again when the number has doubled."""
    kinds: dict[str, set[str]] = {}
    for occurrence in occurrences:
        if occurrence.own_fingerprint is not None and occurrence.fingerprint in aggregation.added_counts:
            kinds.setdefault(occurrence.fingerprint, set()).add(occurrence.own_fingerprint[:_HASH_WIDTH])
    for fingerprint, hashes in kinds.items():
        alert = aggregation.alerts[fingerprint]
        before, sketch = estimate_distinct(alert.kinds or "")[0], _merge_sketch(alert.kinds or "", hashes)
        count, exact = estimate_distinct(sketch)
        aggregation.alerts[fingerprint] = alert.model_copy(
            update={"kinds": sketch, "title": format_title(count, alert.service, exact=exact)}
        )
        if count.bit_length() > before.bit_length():
            aggregation.changed.add(fingerprint)


def format_title(count: int, service: str | None, *, exact: bool = True) -> str:
    count_text = f"{count:,}" if exact else f"about {_round_estimate(count):,}"
    kinds = "kind" if count == 1 else "kinds"
    return f"{count_text} further {kinds} of errors from {service or 'many services'}"


def estimate_distinct(sketch: str) -> tuple[int, bool]:
    """Estimate the distinct fingerprints in a sketch: exact up to 2,048, beyond that within some 5 %.

    The sketch holds the smallest of all hashes seen (k minimum values: Bar-Yossef et al., "Counting Distinct
    Elements in a Data Stream", RANDOM 2002), so it is bounded and does not depend on the order.
    """
    hash_count = len(sketch) // _HASH_WIDTH
    if hash_count < _MAX_EXACT_COUNT:
        return hash_count, True
    return int((hash_count - 1) * _HASH_SPACE / int(sketch[-_HASH_WIDTH:], 16)), False


def _merge_sketch(sketch: str, hashes: set[str]) -> str:
    existing = {sketch[start : start + _HASH_WIDTH] for start in range(0, len(sketch), _HASH_WIDTH)}
    return "".join(sorted(existing | hashes)[:_MAX_EXACT_COUNT])


def _round_estimate(count: int) -> int:
    return round(count, 2 - len(str(count)))
