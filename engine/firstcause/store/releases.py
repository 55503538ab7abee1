"""Releases of services and when they were first seen, learned from events that name their release."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.store.statements import upsert
from firstcause.store.tables import release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

MAX_RELEASES, MAX_PER_SERVICE = 2000, 20
"""Maximum in all and of one service: a sender that invents names must not fill the store."""

ServiceRelease = tuple[str, str]
"""A service, empty where unknown, and its release."""


@dataclass(frozen=True)
class Deployment:
    """A release that replaced another one. service: None where unknown."""

    service: str | None
    before: str
    after: str
    at: datetime


def record(conn: sa.Connection, first_seen: Mapping[ServiceRelease, datetime]) -> None:
    """Store new releases. first_seen: when each one was first seen."""
    if not first_seen:
        return
    pair = sa.tuple_(release.c.service, release.c.name)
    query = sa.select(release.c.service, release.c.name).where(pair.in_(sorted(first_seen)[:MAX_RELEASES]))
    existing = {(row.service, row.name) for row in conn.execute(query)}
    fresh = {key: time for key, time in first_seen.items() if key not in existing}
    if not fresh:
        return
    capacity = MAX_RELEASES - conn.execute(sa.select(sa.func.count()).select_from(release)).scalar_one()
    rows = [
        {"service": service, "name": name, "first_seen": time}
        for (service, name), time in sorted(fresh.items(), key=lambda item: item[1])
    ]
    upsert(conn, release, rows[: max(capacity, 0)], ["service", "name"])
    _prune_services(conn, {service for service, _name in fresh})


def _prune_services(conn: sa.Connection, services: Iterable[str]) -> None:
    """Drop all but the latest releases of each service."""
    for service in services:
        latest = (
            sa.select(release.c.name)
            .where(release.c.service == service)
            .order_by(release.c.first_seen.desc(), release.c.name)
            .limit(MAX_PER_SERVICE)
        )
        conn.execute(release.delete().where(release.c.service == service, release.c.name.not_in(latest)))


def list_deployments(conn: sa.Connection, since: datetime, until: datetime) -> list[Deployment]:
    """List the deployments after `since` and up to `until`, by service; its first release is not one."""
    services = sa.select(release.c.service).where(release.c.first_seen > since, release.c.first_seen <= until)
    query = sa.select(release).where(release.c.service.in_(services))
    rows = conn.execute(query.order_by(release.c.service, release.c.first_seen, release.c.name)).all()
    return [
        Deployment(new.service or None, old.name, new.name, new.first_seen)
        for old, new in pairwise(rows)
        if old.service == new.service and since < new.first_seen <= until
    ]
