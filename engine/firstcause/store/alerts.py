"""Alerts in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.facts import CodeHistory
from firstcause.core.grouping.aggregation import ActiveAlertSummary
from firstcause.core.model import Alert, AlertParts, IncidentStatus, Role, Sample, Severity, Verdict
from firstcause.store.statements import split_into_chunks, upsert
from firstcause.store.tables import alert, incident, notification_registry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.grouping.aggregation import CountUpdate

_COLUMNS = (
    "fingerprint", "fault", "code", "catalogued", "title", "severity", "component", "tenant", "service",
    "probe", "count", "first_seen", "last_seen", "resolved_at", "caused_by", "role", "drill", "incident_id",
    "opened_at", "kinds", "received_at", "clock_skew", "ended_at",
)  # fmt: skip


def _to_alert(row: Any) -> Alert:
    return Alert(
        **{name: getattr(row, name) for name in _COLUMNS},
        stored_id=row.id,
        sample=Sample.model_validate(row.sample),
        parts=AlertParts.model_validate(row.parts) if row.parts else AlertParts(),
        verdicts=tuple(Verdict.model_validate(verdict) for verdict in row.verdicts),
    )


def load_active(conn: sa.Connection, *, drill: bool = False) -> list[Alert]:
    """Load the active alerts. drill: those of drills, which are kept apart, instead of all others."""
    query = sa.select(alert).where(alert.c.resolved_at.is_(None), alert.c.drill.is_(drill))
    return [_to_alert(row) for row in conn.execute(query.order_by(alert.c.id))]


def load_resolved_in_open(conn: sa.Connection) -> list[Alert]:
    """Load the resolved alerts of incidents that are still open."""
    rows = conn.execute(
        sa.select(alert)
        .join(incident, incident.c.id == alert.c.incident_id)
        .where(incident.c.status == IncidentStatus.OPEN.value, alert.c.resolved_at.is_not(None))
        .order_by(alert.c.id)
    )
    return [_to_alert(row) for row in rows]


def load_tenants(conn: sa.Connection) -> set[str]:
    """Load the names of all tenants that have an alert."""
    query = sa.select(alert.c.tenant).where(alert.c.tenant.is_not(None)).distinct()
    return set(conn.execute(query).scalars())


def load_active_by_fingerprint(conn: sa.Connection, fingerprints: Collection[str]) -> dict[str, Alert]:
    """Load the active alerts with these fingerprints; by fingerprint."""
    return {
        row.fingerprint: _to_alert(row)
        for chunk in split_into_chunks(fingerprints)
        for row in conn.execute(
            sa.select(alert).where(alert.c.fingerprint.in_(chunk), alert.c.resolved_at.is_(None))
        )
    }


def load_last_ended(conn: sa.Connection, fingerprints: Collection[str]) -> dict[str, Alert]:
    """Load the last resolved alert of each fingerprint."""
    latest: dict[str, Alert] = {}
    for chunk in split_into_chunks(fingerprints):
        newest = (
            sa.select(sa.func.max(alert.c.id))
            .where(alert.c.fingerprint.in_(chunk), alert.c.resolved_at.is_not(None))
            .group_by(alert.c.fingerprint)
        )
        for row in conn.execute(sa.select(alert).where(alert.c.id.in_(newest))):
            latest[row.fingerprint] = _to_alert(row)
    return latest


def load_by_incident(conn: sa.Connection, incident_ids: Collection[int]) -> dict[int, list[Alert]]:
    """Load the alerts of incidents, each list in order of first_seen; by incident id."""
    by_incident: dict[int, list[Alert]] = {incident_id: [] for incident_id in incident_ids}
    for chunk in split_into_chunks(incident_ids):
        members = sa.select(alert).where(alert.c.incident_id.in_(chunk))
        for row in conn.execute(members.order_by(alert.c.first_seen, alert.c.id)):
            by_incident[row.incident_id].append(_to_alert(row))
    return by_incident


def load_lead_roots(conn: sa.Connection, incident_ids: Collection[int]) -> dict[int, Alert]:
    """Load the first root alert of each incident; by incident id."""
    first = (
        sa.select(sa.func.min(alert.c.id))
        .where(alert.c.incident_id.in_(incident_ids), alert.c.role == Role.ROOT.value)
        .group_by(alert.c.incident_id)
    )
    rows = conn.execute(sa.select(alert).where(alert.c.id.in_(first)))
    return {row.incident_id: _to_alert(row) for row in rows}


def count_alerts_by_rule(conn: sa.Connection) -> dict[str, int]:
    """Count the active alerts on which each rule has a verdict; by rule id."""
    counts: dict[str, int] = {}
    for verdicts in conn.execute(sa.select(alert.c.verdicts).where(alert.c.resolved_at.is_(None))).scalars():
        for rule in {str(verdict["rule"]) for verdict in verdicts}:
            counts[rule] = counts.get(rule, 0) + 1
    return counts


def save(conn: sa.Connection, alerts: Iterable[Alert]) -> dict[str, int]:
    """Insert new alerts and update stored ones; returns the ids of the new ones by fingerprint."""
    records = list(alerts)
    updates = [
        {"row": record.stored_id, **_to_values(record)} for record in records if record.stored_id is not None
    ]
    new_records = [record for record in records if record.stored_id is None]
    if updates:
        conn.execute(alert.update().where(alert.c.id == sa.bindparam("row")), updates)
    if not new_records:
        return {}
    insert = alert.insert().returning(alert.c.id, sort_by_parameter_order=True)
    rows = conn.execute(insert, [_to_values(record) for record in new_records]).scalars()
    return {record.fingerprint: int(row) for record, row in zip(new_records, rows, strict=True)}


def _to_values(record: Alert) -> dict[str, Any]:
    document = record.model_dump(mode="json", include={"sample", "verdicts", "parts"})
    values = {name: getattr(record, name) for name in _COLUMNS}
    return values | {
        "severity": record.severity.value,
        "role": record.role.value,
        "sample": document["sample"] or {},
        "parts": document["parts"] if record.parts != AlertParts() else None,
        "verdicts": document["verdicts"],
    }


def load_matched(conn: sa.Connection, fingerprints: Collection[str]) -> dict[str, ActiveAlertSummary]:
    """Load what counting needs of the active alerts with these fingerprints; by fingerprint."""
    columns = (
        "id", "code", "title", "count", "severity", "first_seen", "last_seen", "sample", "received_at",
        "clock_skew",
    )  # fmt: skip
    has_parts = alert.c.parts.is_not(sa.null())
    query = sa.select(alert.c.fingerprint, *(alert.c[name] for name in columns), has_parts)
    return {
        name: ActiveAlertSummary(
            row, code, title, count, Severity(severity), first, last, Sample.model_validate(sample), *rest
        )
        for chunk in split_into_chunks(fingerprints)
        for name, row, code, title, count, severity, first, last, sample, *rest in conn.execute(
            query.where(alert.c.fingerprint.in_(chunk), alert.c.resolved_at.is_(None))
        )
    }


def add_counts(conn: sa.Connection, updates: Iterable[CountUpdate]) -> None:
    """Add occurrences that change nothing but the counts, times and samples of their alerts."""
    with_sample, others = [], []
    for update in updates:
        row = {
            "row": update.stored_id,
            "added": update.added,
            "last": update.last_seen,
            "received": update.received_at,
            "skew": update.clock_skew,
        }
        if update.sample is None:
            others.append(row)
        else:
            with_sample.append(
                row | {"new_sample": update.sample.model_dump(mode="json", exclude_defaults=True)}
            )
    statement = (
        alert.update()
        .where(alert.c.id == sa.bindparam("row"))
        .values(
            count=alert.c.count + sa.bindparam("added"),
            last_seen=sa.bindparam("last"),
            received_at=sa.bindparam("received"),
            clock_skew=sa.bindparam("skew"),
        )
    )
    if others:
        conn.execute(statement, others)
    if with_sample:
        conn.execute(statement.values(sample=sa.bindparam("new_sample")), with_sample)


def count_late(conn: sa.Connection, late: Mapping[int, int]) -> None:
    """Add occurrences that arrived after the end of their alert. late: alert id -> occurrences."""
    for row, count in late.items():
        conn.execute(alert.update().where(alert.c.id == row).values(count=alert.c.count + count))


def resolve_all(conn: sa.Connection, incident_id: int, now: datetime) -> None:
    """Resolve the alerts of an incident that are still active."""
    conn.execute(
        alert.update()
        .where(alert.c.incident_id == incident_id, alert.c.resolved_at.is_(None))
        .values(resolved_at=now)
    )


def register(conn: sa.Connection, codes: Sequence[Mapping[str, Any]]) -> None:
    """Add codes to the registry, or update them.

    codes: rows with code, title, catalogued, severity, first_seen, last_seen, count.
    """
    upsert(
        conn,
        notification_registry,
        codes,
        ["code"],
        replace=["title", "catalogued", "severity", "last_seen"],
        add=["count"],
    )


def load_history(conn: sa.Connection, codes: Collection[str]) -> list[CodeHistory]:
    """Load the past of these codes: occurrences, resolved incidents, the last fix."""
    histories: list[CodeHistory] = []
    for chunk in split_into_chunks(codes):
        ended = {
            row.root_code: row
            for row in conn.execute(
                sa.select(
                    incident.c.root_code,
                    sa.func.count().label("incidents"),
                    sa.func.max(incident.c.resolved_at).label("last_resolved"),
                )
                .where(incident.c.root_code.in_(chunk), incident.c.status == IncidentStatus.RESOLVED.value)
                .group_by(incident.c.root_code)
            )
        }
        query = sa.select(notification_registry).where(notification_registry.c.code.in_(chunk))
        for row in conn.execute(query.order_by(notification_registry.c.code)):
            resolved = ended.get(row.code)
            histories.append(
                CodeHistory(
                    code=row.code,
                    occurrences=row._mapping["count"],  # noqa: SLF001 - `count` is a tuple's own method
                    first_seen=row.first_seen,
                    incidents=resolved.incidents if resolved else 0,
                    last_resolved=resolved.last_resolved if resolved else None,
                    last_fix=_load_last_fix(conn, row.code) if resolved else None,
                )
            )
    return histories


def _load_last_fix(conn: sa.Connection, code: str) -> str | None:
    newest = (
        sa.select(incident.c.fix)
        .where(incident.c.root_code == code, incident.c.fix.is_not(None))
        .order_by(incident.c.id.desc())
        .limit(1)
    )
    return conn.execute(newest).scalar()


def list_registered_codes(conn: sa.Connection) -> list[dict[str, Any]]:
    """List all registered codes: rows with code, title, severity, last_seen, count."""
    columns = notification_registry.c
    query = sa.select(columns.code, columns.title, columns.severity, columns.last_seen, columns.count)
    return [dict(row) for row in conn.execute(query.order_by(columns.code)).mappings()]


def list_faults(conn: sa.Connection, codes: Collection[str]) -> list[dict[str, Any]]:
    """List the faults of these codes: rows with code, severity, count, last_seen and the last message."""
    newest = sa.func.max(alert.c.id)
    total = (sa.func.sum(alert.c.count).label("count"), sa.func.max(alert.c.last_seen).label("last_seen"))
    rows: list[dict[str, Any]] = []
    for chunk in split_into_chunks(codes):
        grouped = sa.select(newest.label("id"), *total).where(alert.c.code.in_(chunk))
        by_fault = grouped.group_by(alert.c.fault).subquery()
        joined = sa.select(
            alert.c.code, alert.c.severity, alert.c.sample, by_fault.c.count, by_fault.c.last_seen
        )
        for row in conn.execute(
            joined.join(by_fault, alert.c.id == by_fault.c.id).order_by(alert.c.id)
        ).mappings():
            values = {name: row[name] for name in ("code", "severity", "last_seen")}
            rows.append(values | {"count": int(row["count"]), "message": row["sample"].get("message")})
    return rows
