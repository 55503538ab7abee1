"""Which releases of which service were seen, and since when: learned from errors that name theirs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from firstcause.store.tables import release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

MOST, EACH = 2000, 20
"""Of so many at most, and so many of one service: a sender that invents names must not fill the store."""

Named = tuple[str, str]
"""A service, empty where it is not known, and its release."""


@dataclass(frozen=True)
class Deployed:
    """A release that took the place of another. service: None where it is not known."""

    service: str | None
    before: str
    after: str
    at: datetime


def learn(conn: sa.Connection, seen: Mapping[Named, datetime]) -> None:
    """Write down those that are new. seen: when each was seen first."""
    if not seen:
        return
    pair = sa.tuple_(release.c.service, release.c.name)
    asked = sa.select(release.c.service, release.c.name).where(pair.in_(sorted(seen)[:MOST]))
    known = {(row.service, row.name) for row in conn.execute(asked)}
    fresh = {each: at for each, at in seen.items() if each not in known}
    if not fresh:
        return
    room = MOST - conn.execute(sa.select(sa.func.count()).select_from(release)).scalar_one()
    rows = [
        {"service": service, "name": name, "first_seen": at}
        for (service, name), at in sorted(fresh.items(), key=lambda each: each[1])
    ]
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    if rows[: max(room, 0)]:
        conn.execute(insert(release).on_conflict_do_nothing(), rows[: max(room, 0)])
    _forget(conn, {service for service, _name in fresh})


def _forget(conn: sa.Connection, services: Iterable[str]) -> None:
    """All but the latest of each service."""
    for service in services:
        latest = (
            sa.select(release.c.name)
            .where(release.c.service == service)
            .order_by(release.c.first_seen.desc(), release.c.name)
            .limit(EACH)
        )
        conn.execute(release.delete().where(release.c.service == service, release.c.name.not_in(latest)))


def deployed(conn: sa.Connection, since: datetime, until: datetime) -> list[Deployed]:
    """Those first seen after `since` and up to `until`, in order, but for the first of each service."""
    mine = sa.select(release.c.service).where(release.c.first_seen > since, release.c.first_seen <= until)
    asked = sa.select(release).where(release.c.service.in_(mine))
    rows = conn.execute(asked.order_by(release.c.service, release.c.first_seen, release.c.name)).all()
    return [
        Deployed(new.service or None, old.name, new.name, new.first_seen)
        for old, new in pairwise(rows)
        if old.service == new.service and since < new.first_seen <= until
    ]
