"""Look up the stored alerts that a batch of errors continues, and limit how many new ones it opens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.grouping.aggregation import is_late
from firstcause.core.grouping.overflow import (
    KindBudget,
    KindLimits,
    apply_limits,
    can_overflow,
    overflow_fingerprints,
)
from firstcause.store import alerts, cardinality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Intake
    from firstcause.core.grouping.fingerprint import Occurrence
    from firstcause.core.model import Alert

_CARDINALITY_WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class MatchedAlerts:
    """The active alerts and the latest ended ones of a batch, overflow alerts included; by fingerprint."""

    active: dict[str, Alert]
    ended: dict[str, Alert]


def match_alerts(conn: sa.Connection, occurrences: Sequence[Occurrence]) -> MatchedAlerts:
    """Load the alerts that have the fingerprints of these occurrences or of their overflow alerts."""
    fingerprints = {occurrence.fingerprint for occurrence in occurrences} | overflow_fingerprints(occurrences)
    active = alerts.load_active_by_fingerprint(conn, fingerprints)
    ended = alerts.load_last_ended(conn, fingerprints - active.keys())
    return MatchedAlerts(active, ended)


def enforce_limits(
    conn: sa.Connection,
    occurrences: Sequence[Occurrence],
    existing: Mapping[str, Alert],
    grace_until: Mapping[str, datetime],
    intake: Intake,
    now: datetime,
) -> list[Occurrence]:
    """The occurrences, of those that would open an alert beyond the limits as one that counts in another."""

    def opens_alert(occurrence: Occurrence) -> bool:
        return occurrence.fingerprint not in existing and not is_late(occurrence, grace_until)

    if not any(can_overflow(occurrence) and opens_alert(occurrence) for occurrence in occurrences):
        return list(occurrences)
    budget = KindBudget(
        KindLimits(intake.kinds, intake.kinds_in_all),
        cardinality.count_kinds(conn, now - _CARDINALITY_WINDOW),
    )
    return apply_limits(occurrences, opens_alert, budget)
