"""One health tick: readings, a snapshot of them, and events for what broke or came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.grouping.fingerprint import UNCATALOGUED
from firstcause.core.model import Alert, Event, Problem, Reading, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.catalog import Catalog
    from firstcause.hookspecs.types import Probe

QUIET_BEFORE_RESOLVED_S = 300.0
"""Seconds without a report after which a probe's UP ends an error that others had reported."""


def build_probe_events(
    readings: Mapping[str, Reading],
    probes: Mapping[str, Probe],
    active: Iterable[Alert],
    catalog: Catalog,
    now: datetime,
    new_id: Callable[[], str],
) -> list[Event]:
    """Failures that the probes saw, and the ends of those that are over."""
    failures = {
        name: list(_build_failure_events(probes[name], reading, now, new_id))
        for name, reading in readings.items()
    }
    failure_events = [event for events in failures.values() for event in events]
    blind_probes = {
        name for name, reading in readings.items() if reading.status is Status.DOWN and not reading.data
    }
    return [*failure_events, *_build_resolutions(active, failures, blind_probes, catalog, now, new_id)]


def _build_resolutions(
    active: Iterable[Alert],
    failures: Mapping[str, Sequence[Event]],
    blind_probes: Collection[str],
    catalog: Catalog,
    now: datetime,
    new_id: Callable[[], str],
) -> Iterator[Event]:
    for alert in active:
        name = _find_resolving_probe(alert, catalog, now)
        if name is None or name not in failures:
            continue
        codes = {event.code for event in failures[name]}
        # What was wrong before may be so still: one that cannot look at all has not seen it end.
        if not codes or (alert.probe == name and alert.code not in codes and name not in blind_probes):
            yield _build_resolution(alert, now, new_id)


def _build_failure_events(
    probe: Probe, reading: Reading, now: datetime, new_id: Callable[[], str]
) -> Iterator[Event]:
    """One for each error that the probe saw; of one code the first."""
    if reading.status is Status.UP:
        return
    own_code = reading.code or (probe.code if reading.status is Status.DOWN else None)
    reported_codes: set[str] = set()
    for problem in (Problem(code=own_code, detail=reading.detail), *reading.problems):
        if problem.code is not None and problem.code not in reported_codes:
            reported_codes.add(problem.code)
            yield _build_failure_event(probe, reading, problem, now, new_id())


def _build_failure_event(
    probe: Probe, reading: Reading, problem: Problem, now: datetime, event_id: str
) -> Event:
    details: dict[str, Any] = {
        "status": reading.status.value,
        "latency_ms": reading.latency_ms,
        **reading.data,
    }
    return Event(
        id=event_id,
        time=now,
        code=problem.code,
        message=problem.detail or f"{probe.name} is {reading.status}",
        service=probe.component,
        details={key: value for key, value in details.items() if value is not None},
        probe=probe.name,
    )


def _find_resolving_probe(alert: Alert, catalog: Catalog, now: datetime) -> str | None:
    """The probe whose UP ends this alert: the one that raised it, else the catalog's, once it is quiet."""
    if alert.probe is not None:
        return alert.probe
    entry = catalog.get(alert.code)
    is_quiet = (now - alert.last_seen).total_seconds() >= QUIET_BEFORE_RESOLVED_S
    return entry.verify.probe if entry is not None and is_quiet else None


def build_quiet_resolutions(
    active: Iterable[Alert], resolve_after_s: float, now: datetime, new_id: Callable[[], str]
) -> list[Event]:
    """Ends of alerts that nobody has reported for `resolve_after_s` seconds and that no probe watches."""
    return [
        _build_resolution(alert, now, new_id)
        for alert in active
        if alert.probe is None and (now - alert.last_seen).total_seconds() >= resolve_after_s
    ]


def _build_resolution(alert: Alert, now: datetime, new_id: Callable[[], str]) -> Event:
    # Code, tenant and service make the fingerprint; a bare text has only its message for a code.
    return Event(
        id=new_id(),
        time=now,
        code=None if alert.code == UNCATALOGUED else alert.code,
        message=alert.sample.message if alert.sample else None,
        tenant=alert.tenant,
        service=alert.service,
        probe=alert.probe,
        resolved=True,
    )


def build_report_events(
    reporter: str, raised: Iterable[Event], active: Iterable[Alert], now: datetime, new_id: Callable[[], str]
) -> list[Event]:
    """What a reporter that is no probe says now, and the ends of what it said before and says no more."""
    raised_events = list(raised)
    still_raised = {(event.code, event.service) for event in raised_events}
    ended_alerts = (
        alert
        for alert in active
        if alert.probe == reporter and (alert.code, alert.service) not in still_raised
    )
    return [*raised_events, *(_build_resolution(alert, now, new_id) for alert in ended_alerts)]
