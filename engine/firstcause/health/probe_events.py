"""Builds events of probe readings: failures, and resolutions of what is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.grouping.fingerprint import UNCATALOGUED
from firstcause.core.grouping.parts import find_ended_parts
from firstcause.core.model import Alert, Event, Status
from firstcause.core.reading import Problem, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.catalog import Catalog
    from firstcause.core.grouping.parts import Patience
    from firstcause.hookspecs.types import Probe

QUIET_BEFORE_RESOLVED_S = 300.0
"""Seconds without a report after which a probe that is UP resolves an alert that others reported."""


def build_probe_events(
    readings: Mapping[str, Reading],
    probes: Mapping[str, Probe],
    active: Iterable[Alert],
    catalog: Catalog,
    now: datetime,
    new_id: Callable[[], str],
) -> list[Event]:
    """Build the events of failures that the probes saw, and of alerts that they resolve."""
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
        # A blind probe (DOWN without data) has not seen the end of what was wrong before.
        if not codes or (alert.probe == name and alert.code not in codes and name not in blind_probes):
            yield _build_resolution(alert, now, new_id)


def _build_failure_events(
    probe: Probe, reading: Reading, now: datetime, new_id: Callable[[], str]
) -> Iterator[Event]:
    """Build an event for each problem of a reading; for each code the first."""
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
    """Find the probe that resolves an alert: the one that raised it, or the catalog's for a quiet alert."""
    if alert.probe is not None:
        return alert.probe
    entry = catalog.get(alert.code)
    is_quiet = (now - alert.last_arrival).total_seconds() >= QUIET_BEFORE_RESOLVED_S
    return entry.verify.probe if entry is not None and is_quiet else None


def build_quiet_resolutions(
    active: Iterable[Alert], patience: Patience, now: datetime, new_id: Callable[[], str]
) -> list[Event]:
    """Resolve alerts, or parts of them, that no probe watches and that nobody reports any more."""
    return [
        _build_resolution(alert, now, new_id, part)
        for alert in active
        if alert.probe is None
        for part in find_ended_parts(alert, patience, now)
    ]


def _build_resolution(
    alert: Alert, now: datetime, new_id: Callable[[], str], part: str | None = None
) -> Event:
    """Build the end of an alert. part: the key of the part that ended, None for all of the alert."""
    return Event(
        id=new_id(),
        time=now,
        code=None if alert.code == UNCATALOGUED else alert.code,
        message=alert.sample.message if alert.sample else None,
        tenant=alert.tenant,
        service=alert.service,
        probe=alert.probe,
        ends_alert=alert.fingerprint,
        ends_part=part,
        resolved=True,
    )


def build_report_events(
    reporter: str, raised: Iterable[Event], active: Iterable[Alert], now: datetime, new_id: Callable[[], str]
) -> list[Event]:
    """Return a reporter's events, and resolutions of its active alerts that it no longer reports."""
    raised_events = list(raised)
    still_raised = {(event.code, event.service) for event in raised_events}
    ended_alerts = (
        alert
        for alert in active
        if alert.probe == reporter and (alert.code, alert.service) not in still_raised
    )
    return [*raised_events, *(_build_resolution(alert, now, new_id) for alert in ended_alerts)]
