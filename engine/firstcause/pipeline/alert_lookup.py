"""Which alerts a batch meets: those that its errors go on in, under whichever version they were named."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.grouping.aggregation import is_late
from firstcause.core.grouping.legacy_fingerprint import legacy_fingerprint
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

log = logging.getLogger("firstcause.triage")

_CARDINALITY_WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class MatchedAlerts:
    """The active alerts and the latest ended ones, with those in which further kinds count; by fingerprint.

    renamed: those that had a name of an earlier version until now.
    """

    active: dict[str, Alert]
    ended: dict[str, Alert]
    renamed: frozenset[str]


def match_alerts(conn: sa.Connection, occurrences: Sequence[Occurrence], since: datetime) -> MatchedAlerts:
    """since: what an earlier version named goes on if it is active, or ended after that."""
    fingerprints = {occurrence.fingerprint for occurrence in occurrences} | overflow_fingerprints(occurrences)
    active = alerts.load_active_by_fingerprint(conn, fingerprints)
    ended = alerts.load_last_ended(conn, fingerprints - active.keys())
    unmatched = fingerprints - active.keys() - ended.keys()
    renamed = _rename_legacy_alerts(
        conn, [occurrence for occurrence in occurrences if occurrence.fingerprint in unmatched], since
    )
    for fingerprint, alert in renamed.items():
        (active if alert.active else ended)[fingerprint] = alert
    return MatchedAlerts(active, ended, frozenset(renamed))


def _rename_legacy_alerts(
    conn: sa.Connection, occurrences: Sequence[Occurrence], since: datetime
) -> dict[str, Alert]:
    """Rename what these errors were under an earlier version; the oldest alert where there are several."""
    by_legacy_fingerprint = {
        legacy.fingerprint: (legacy, occurrence)
        for occurrence in occurrences
        if (legacy := legacy_fingerprint(occurrence)) is not None
    }
    if not by_legacy_fingerprint:
        return {}
    matches = alerts.load_active_by_fingerprint(conn, by_legacy_fingerprint)
    ended = alerts.load_last_ended(conn, by_legacy_fingerprint.keys() - matches.keys())
    matches |= {
        name: alert for name, alert in ended.items() if alert.resolved_at and alert.resolved_at >= since
    }
    renamed: dict[str, Alert] = {}
    for name, previous in sorted(matches.items(), key=lambda item: item[1].stored_id or 0):
        legacy, occurrence = by_legacy_fingerprint[name]
        if occurrence.fingerprint in renamed or previous.fault not in {legacy.fault, occurrence.fault}:
            continue
        identity = {
            "fingerprint": occurrence.fingerprint,
            "fault": occurrence.fault,
            "former": previous.fingerprint,
        }
        updated = previous.model_copy(update=identity)
        cardinality.rename_alert(conn, previous, updated, since)
        renamed[occurrence.fingerprint] = updated
    if renamed:
        log.info("%d alerts go on under the names of a newer version", len(renamed))
    return renamed


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
        KindLimits(intake.max_uncatalogued_per_service, intake.max_uncatalogued),
        cardinality.count_kinds(conn, now - _CARDINALITY_WINDOW),
    )
    return apply_limits(occurrences, opens_alert, budget)
