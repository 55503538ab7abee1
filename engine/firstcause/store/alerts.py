"""Alerts in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from firstcause.core.facts import History
from firstcause.core.grouping.aggregation import Standing
from firstcause.core.model import Alert, IncidentStatus, Role, Sample, Severity, Verdict
from firstcause.store.tables import alert, incident, notification_registry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.grouping.aggregation import More

_COPIED = (
    "fingerprint", "fault", "code", "catalogued", "title", "severity", "component", "tenant", "service",
    "probe", "count", "first_seen", "last_seen", "resolved_at", "caused_by", "role", "drill", "incident_id",
    "former", "opened_at", "kinds",
)  # fmt: skip
_MANY = 500

T = TypeVar("T")


def _alert(row: Any) -> Alert:
    return Alert(
        **{name: getattr(row, name) for name in _COPIED},
        stored_id=row.id,
        sample=Sample.model_validate(row.sample),
        verdicts=tuple(Verdict.model_validate(each) for each in row.verdicts),
    )


def active(conn: sa.Connection, *, drill: bool = False) -> list[Alert]:
    """drill: those of drills, which are a world of their own, in place of all others."""
    wanted = sa.select(alert).where(alert.c.resolved_at.is_(None), alert.c.drill.is_(drill))
    return [_alert(row) for row in conn.execute(wanted.order_by(alert.c.id))]


def over_in_open(conn: sa.Connection) -> list[Alert]:
    """Those that ended while the incident that they belong to is still open."""
    rows = conn.execute(
        sa.select(alert)
        .join(incident, incident.c.id == alert.c.incident_id)
        .where(incident.c.status == IncidentStatus.OPEN.value, alert.c.resolved_at.is_not(None))
        .order_by(alert.c.id)
    )
    return [_alert(row) for row in rows]


def tenants(conn: sa.Connection) -> set[str]:
    """All that ever reported anything."""
    seen = sa.select(alert.c.tenant).where(alert.c.tenant.is_not(None)).distinct()
    return set(conn.execute(seen).scalars())


def active_by_fingerprint(conn: sa.Connection, names: Collection[str]) -> dict[str, Alert]:
    return {
        row.fingerprint: _alert(row)
        for part in _parts(names)
        for row in conn.execute(
            sa.select(alert).where(alert.c.fingerprint.in_(part), alert.c.resolved_at.is_(None))
        )
    }


def last_ended(conn: sa.Connection, names: Collection[str]) -> dict[str, Alert]:
    """The latest ended alert of each fingerprint."""
    found: dict[str, Alert] = {}
    for part in _parts(names):
        newest = (
            sa.select(sa.func.max(alert.c.id))
            .where(alert.c.fingerprint.in_(part), alert.c.resolved_at.is_not(None))
            .group_by(alert.c.fingerprint)
        )
        for row in conn.execute(sa.select(alert).where(alert.c.id.in_(newest))):
            found[row.fingerprint] = _alert(row)
    return found


def of_incidents(conn: sa.Connection, ids: Collection[int]) -> dict[int, list[Alert]]:
    found: dict[int, list[Alert]] = {number: [] for number in ids}
    for part in _parts(ids):
        members = sa.select(alert).where(alert.c.incident_id.in_(part))
        for row in conn.execute(members.order_by(alert.c.first_seen, alert.c.id)):
            found[row.incident_id].append(_alert(row))
    return found


def leading(conn: sa.Connection, ids: Collection[int]) -> dict[int, Alert]:
    """Of each incident the first of its roots."""
    first = (
        sa.select(sa.func.min(alert.c.id))
        .where(alert.c.incident_id.in_(ids), alert.c.role == Role.ROOT.value)
        .group_by(alert.c.incident_id)
    )
    rows = conn.execute(sa.select(alert).where(alert.c.id.in_(first)))
    return {row.incident_id: _alert(row) for row in rows}


def spoken(conn: sa.Connection) -> dict[str, int]:
    """Rule -> of how many active alerts it says something."""
    found: dict[str, int] = {}
    for verdicts in conn.execute(sa.select(alert.c.verdicts).where(alert.c.resolved_at.is_(None))).scalars():
        for rule in {str(each["rule"]) for each in verdicts}:
            found[rule] = found.get(rule, 0) + 1
    return found


def save(conn: sa.Connection, alerts: Iterable[Alert]) -> dict[str, int]:
    """Insert those without a row, update the others; returns fingerprint -> row of the new ones."""
    listed = list(alerts)
    known = [{"row": each.stored_id, **_values(each)} for each in listed if each.stored_id is not None]
    fresh = [each for each in listed if each.stored_id is None]
    if known:
        conn.execute(alert.update().where(alert.c.id == sa.bindparam("row")), known)
    if not fresh:
        return {}
    insert = alert.insert().returning(alert.c.id, sort_by_parameter_order=True)
    rows = conn.execute(insert, [_values(each) for each in fresh]).scalars()
    return {each.fingerprint: int(row) for each, row in zip(fresh, rows, strict=True)}


def _values(each: Alert) -> dict[str, Any]:
    document = each.model_dump(mode="json", include={"sample", "verdicts"})
    values = {name: getattr(each, name) for name in _COPIED}
    return values | {
        "severity": each.severity.value,
        "role": each.role.value,
        "sample": document["sample"] or {},
        "verdicts": document["verdicts"],
    }


def standing(conn: sa.Connection, names: Collection[str]) -> dict[str, Standing]:
    """Of the active alerts with these fingerprints as much as counting needs."""
    names_of = ("id", "code", "title", "count", "severity", "first_seen", "last_seen", "sample")
    asked = sa.select(alert.c.fingerprint, *(alert.c[name] for name in names_of))
    return {
        name: Standing(
            row, code, title, count, Severity(severity), first, last, Sample.model_validate(sample)
        )
        for part in _parts(names)
        for name, row, code, title, count, severity, first, last, sample in conn.execute(
            asked.where(alert.c.fingerprint.in_(part), alert.c.resolved_at.is_(None))
        )
    }


def add(conn: sa.Connection, more: Iterable[More]) -> None:
    """Count occurrences that change nothing else of their alerts."""
    later, others = [], []
    for each in more:
        row = {"row": each.stored_id, "added": each.added, "last": each.last_seen}
        if each.sample is None:
            others.append(row)
        else:
            later.append(row | {"told": each.sample.model_dump(mode="json", exclude_defaults=True)})
    counting = (
        alert.update()
        .where(alert.c.id == sa.bindparam("row"))
        .values(count=alert.c.count + sa.bindparam("added"), last_seen=sa.bindparam("last"))
    )
    if others:
        conn.execute(counting, others)
    if later:
        conn.execute(counting.values(sample=sa.bindparam("told")), later)


def count_late(conn: sa.Connection, late: Mapping[int, int]) -> None:
    """late: row of an ended alert -> occurrences that arrived after its end."""
    for row, count in late.items():
        conn.execute(alert.update().where(alert.c.id == row).values(count=alert.c.count + count))


def end(conn: sa.Connection, incident_id: int, now: datetime) -> None:
    """End all alerts of an incident that are still active."""
    conn.execute(
        alert.update()
        .where(alert.c.incident_id == incident_id, alert.c.resolved_at.is_(None))
        .values(resolved_at=now)
    )


def register(conn: sa.Connection, seen: Sequence[Mapping[str, Any]]) -> None:
    """Fill the registry of codes. seen: code, title, catalogued, severity, first_seen, last_seen, count."""
    if not seen:
        return
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = insert(notification_registry)
    taken = {
        "title": statement.excluded.title,
        "catalogued": statement.excluded.catalogued,
        "severity": statement.excluded.severity,
        "last_seen": statement.excluded.last_seen,
        "count": notification_registry.c.count + statement.excluded.count,
    }
    conn.execute(statement.on_conflict_do_update(index_elements=["code"], set_=taken), list(seen))


def history(conn: sa.Connection, codes: Collection[str]) -> list[History]:
    """What is stored of these codes besides what is open now."""
    found: list[History] = []
    for part in _parts(codes):
        ended = {
            row.root_code: row
            for row in conn.execute(
                sa.select(
                    incident.c.root_code,
                    sa.func.count().label("incidents"),
                    sa.func.max(incident.c.resolved_at).label("last_resolved"),
                )
                .where(incident.c.root_code.in_(part), incident.c.status == IncidentStatus.RESOLVED.value)
                .group_by(incident.c.root_code)
            )
        }
        seen = sa.select(notification_registry).where(notification_registry.c.code.in_(part))
        for row in conn.execute(seen.order_by(notification_registry.c.code)):
            over = ended.get(row.code)
            found.append(
                History(
                    code=row.code,
                    seen=row._mapping["count"],  # noqa: SLF001 - `count` is a tuple's own method
                    first_seen=row.first_seen,
                    incidents=over.incidents if over else 0,
                    last_resolved=over.last_resolved if over else None,
                    last_fix=_last_fix(conn, row.code) if over else None,
                )
            )
    return found


def _last_fix(conn: sa.Connection, code: str) -> str | None:
    newest = (
        sa.select(incident.c.fix)
        .where(incident.c.root_code == code, incident.c.fix.is_not(None))
        .order_by(incident.c.id.desc())
        .limit(1)
    )
    return conn.execute(newest).scalar()


def registered(conn: sa.Connection) -> list[dict[str, Any]]:
    """A row for each code ever seen: code, title, severity, last_seen, count."""
    columns = notification_registry.c
    chosen = sa.select(columns.code, columns.title, columns.severity, columns.last_seen, columns.count)
    return [dict(row) for row in conn.execute(chosen.order_by(columns.code)).mappings()]


def faults(conn: sa.Connection, codes: Collection[str]) -> list[dict[str, Any]]:
    """A row for each fault of these codes: code, severity, count, last_seen, and its latest message."""
    newest = sa.func.max(alert.c.id)
    total = (sa.func.sum(alert.c.count).label("count"), sa.func.max(alert.c.last_seen).label("last_seen"))
    found: list[dict[str, Any]] = []
    for part in _parts(codes):
        grouped = sa.select(newest.label("id"), *total).where(alert.c.code.in_(part))
        each = grouped.group_by(alert.c.fault).subquery()
        joined = sa.select(alert.c.code, alert.c.severity, alert.c.sample, each.c.count, each.c.last_seen)
        for row in conn.execute(joined.join(each, alert.c.id == each.c.id).order_by(alert.c.id)).mappings():
            values = {name: row[name] for name in ("code", "severity", "last_seen")}
            found.append(values | {"count": int(row["count"]), "message": row["sample"].get("message")})
    return found


def _parts(names: Collection[T]) -> list[list[T]]:
    listed = list(names)
    return [listed[at : at + _MANY] for at in range(0, len(listed), _MANY)]
