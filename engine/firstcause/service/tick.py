"""One health tick: readings, a snapshot of them, and events for what broke or came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.identity import UNCATALOGUED
from firstcause.core.model import Alert, Event, Reading, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from firstcause.core.catalog import Catalog
    from firstcause.hookspecs.types import Probe

QUIET_BEFORE_WELL = 300.0
"""Seconds without a report after which a probe's UP ends an error that others had reported."""


def events_of(
    readings: Mapping[str, Reading],
    probes: Mapping[str, Probe],
    active: Iterable[Alert],
    catalog: Catalog,
    now: datetime,
    new_id: Callable[[], str],
) -> list[Event]:
    """Failures that the probes saw, and the ends of those that are over."""
    failures = {name: _failure(probes[name], reading, now, new_id) for name, reading in readings.items()}
    found = [event for event in failures.values() if event is not None]
    for alert in active:
        name = _judge(alert, catalog, now)
        if name is None or name not in readings:
            continue
        failure = failures[name]
        if failure is None or (alert.probe == name and failure.code != alert.code):
            found.append(_end(alert, now, new_id))
    return found


def _failure(probe: Probe, reading: Reading, now: datetime, new_id: Callable[[], str]) -> Event | None:
    code = reading.code or (probe.code if reading.status is Status.DOWN else None)
    if reading.status is Status.UP or code is None:
        return None
    details: dict[str, Any] = {
        "status": reading.status.value,
        "latency_ms": reading.latency_ms,
        **reading.data,
    }
    return Event(
        id=new_id(),
        time=now,
        code=code,
        message=reading.detail or f"{probe.name} is {reading.status}",
        service=probe.component,
        details={key: value for key, value in details.items() if value is not None},
        probe=probe.name,
    )


def _judge(alert: Alert, catalog: Catalog, now: datetime) -> str | None:
    """The probe whose UP ends this alert: the one that raised it, else the catalog's, once it is quiet."""
    if alert.probe is not None:
        return alert.probe
    entry = catalog.get(alert.code)
    quiet = (now - alert.last_seen).total_seconds() >= QUIET_BEFORE_WELL
    return entry.verify.probe if entry is not None and quiet else None


def quiet_events(
    active: Iterable[Alert], quiet_after: float, now: datetime, new_id: Callable[[], str]
) -> list[Event]:
    """Ends of alerts that nobody has reported for `quiet_after` seconds and that no probe watches."""
    return [
        _end(alert, now, new_id)
        for alert in active
        if alert.probe is None and (now - alert.last_seen).total_seconds() >= quiet_after
    ]


def _end(alert: Alert, now: datetime, new_id: Callable[[], str]) -> Event:
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


def infrastructure(readings: Mapping[str, Reading]) -> dict[str, dict[str, Any]]:
    """The readings as a snapshot keeps them and `firstcause check` shows them."""
    return {
        name: {
            "status": reading.status.value,
            "latency_ms": reading.latency_ms,
            "detail": reading.detail,
            **({"code": reading.code} if reading.code else {}),
            **({"data": reading.data} if reading.data else {}),
        }
        for name, reading in readings.items()
    }


def overall(readings: Mapping[str, Reading]) -> str:
    """The worst of the readings; UNKNOWN where nothing was looked at."""
    worst = max(
        (reading.status for reading in readings.values()), key=lambda status: status.rank, default=None
    )
    return worst.value if worst is not None else "UNKNOWN"
