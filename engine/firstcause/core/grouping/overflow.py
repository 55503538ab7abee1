"""Limits how many alerts there are: kinds of errors beyond a limit count in one alert a service.

A sender that writes ids into its codes or messages, in a form that no template masks, makes every event a
kind of its own. A kind that the catalog describes, or that has an alert already, is never limited. Its
tenants are: the further ones count in one alert of that error, so a million tenants cost what a thousand do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from firstcause.core.grouping.fingerprint import (
    Occurrence,
    further_tenants_fingerprint,
    overflow_fingerprint,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from firstcause.core.grouping.aggregation import Aggregation

OVERFLOW_CODE = "OTHER_ERRORS"
"""The code of the alert in which the kinds beyond the limit count."""

MAX_TENANT_ALERTS = 1_000
"""Alerts of one error of the catalog, one for each tenant and service. Further tenants count in one alert."""

ServiceTenant = tuple[str | None, str | None]
"""Service and tenant."""

_MAX_EXACT_COUNT = 2048
_HASH_WIDTH = 10
_HASH_SPACE = 16**_HASH_WIDTH

_cached_fingerprint = lru_cache(maxsize=4096)(overflow_fingerprint)
_cached_tenants_fingerprint = lru_cache(maxsize=4096)(further_tenants_fingerprint)


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
    tenants_by_fault: alerts of tenants by fault, of errors of the catalog; likewise.
    """

    limits: KindLimits
    kinds_by_service: dict[ServiceTenant, int]
    tenants_by_fault: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._total = sum(self.kinds_by_service.values())

    def is_full(self, location: ServiceTenant) -> bool:
        """Whether the service and tenant have reached their own limit."""
        return self.kinds_by_service.get(location, 0) >= self.limits.per_service

    def is_exceeded(self, location: ServiceTenant) -> bool:
        """Whether the service and tenant, or all services together, have reached their limit."""
        return self.is_full(location) or self._total >= self.limits.total

    def takes_tenant(self, fault: str) -> bool:
        """Whether one more tenant's alert of this error is within the limit; if it is, count it."""
        count = self.tenants_by_fault.get(fault, 0)
        if count >= MAX_TENANT_ALERTS:
            return False
        self.tenants_by_fault[fault] = count + 1
        return True

    def consume(self, location: ServiceTenant) -> None:
        self.kinds_by_service[location] = self.kinds_by_service.get(location, 0) + 1
        self._total += 1


def can_overflow(occurrence: Occurrence) -> bool:
    """Whether limits apply to an occurrence: not to a catalogued error, the end of an error, or a drill."""
    event = occurrence.event
    return occurrence.entry is None and not (event.resolved or event.drill)


def has_limited_tenants(occurrence: Occurrence) -> bool:
    """Whether the limit of tenants applies to an occurrence."""
    event = occurrence.event
    is_own = event.ends_alert is None and event.probe is None
    return occurrence.entry is not None and event.tenant is not None and is_own and not event.drill


def overflow_fingerprints(occurrences: Iterable[Occurrence]) -> set[str]:
    """Return the fingerprints of the alerts in which these occurrences may have to count."""
    services = {occurrence.event.service for occurrence in occurrences if can_overflow(occurrence)}
    faults = {occurrence.fault for occurrence in occurrences if has_limited_tenants(occurrence)}
    of_kinds = {_cached_fingerprint(service)[1] for service in (*services, None)} if services else set()
    return of_kinds | {_cached_tenants_fingerprint(fault) for fault in faults}


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
        elif (
            has_limited_tenants(occurrence)
            and not occurrence.event.resolved
            and occurrence.fingerprint not in opened_fingerprints
            and opens_alert(occurrence)
        ):
            if not budget.takes_tenant(occurrence.fault):
                limited.append(_to_further_tenants(occurrence))
                continue
            opened_fingerprints.add(occurrence.fingerprint)
        limited.append(occurrence)
    return limited


def _to_further_tenants(occurrence: Occurrence) -> Occurrence:
    """Return the occurrence as one of the alert for all further tenants; it is the same fault."""
    event = occurrence.event.model_copy(update={"service": None, "tenant": None})
    return occurrence._replace(
        event=event,
        group_title=format_tenants_title(0, occurrence.title),
        fingerprint=_cached_tenants_fingerprint(occurrence.fault),
        own_fingerprint=occurrence.fingerprint,
        labels={},
        part="",
    )


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
    entry_titles: dict[str, str] = {}
    for occurrence in occurrences:
        if occurrence.own_fingerprint is not None and occurrence.fingerprint in aggregation.added_counts:
            kinds.setdefault(occurrence.fingerprint, set()).add(occurrence.own_fingerprint[:_HASH_WIDTH])
            if occurrence.entry is not None:
                entry_titles[occurrence.fingerprint] = occurrence.entry.title
    for fingerprint, hashes in kinds.items():
        alert = aggregation.alerts[fingerprint]
        before, sketch = estimate_distinct(alert.kinds or "")[0], _merge_sketch(alert.kinds or "", hashes)
        count, exact = estimate_distinct(sketch)
        title = (
            format_tenants_title(count, entry_titles[fingerprint], exact=exact)
            if fingerprint in entry_titles
            else format_title(count, alert.service, exact=exact)
        )
        aggregation.alerts[fingerprint] = alert.model_copy(update={"kinds": sketch, "title": title})
        if count.bit_length() > before.bit_length():
            aggregation.changed.add(fingerprint)


def format_title(count: int, service: str | None, *, exact: bool = True) -> str:
    count_text = f"{count:,}" if exact else f"about {_round_estimate(count):,}"
    kinds = "kind" if count == 1 else "kinds"
    return f"{count_text} further {kinds} of errors from {service or 'many services'}"


def format_tenants_title(count: int, title: str, *, exact: bool = True) -> str:
    count_text = f"{count:,}" if exact else f"about {_round_estimate(count):,}"
    return f"{title}, at {count_text} further {'tenant' if count == 1 else 'tenants'}"


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
