"""Finds the stored alerts that the errors of a batch belong to, whichever version named them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.grouping.legacy_fingerprint import legacy_fingerprint
from firstcause.core.grouping.overflow import overflow_fingerprints
from firstcause.store import alerts, cardinality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.grouping.fingerprint import Occurrence
    from firstcause.core.model import Alert

log = logging.getLogger("firstcause.triage")


@dataclass(frozen=True)
class MatchedAlerts:
    """The stored alerts of a batch by fingerprint, with those in which excess kinds of errors count.

    ended: the latest ended alert of each fingerprint without an active alert.
    renamed: fingerprints of alerts that had the name of an earlier version until now.
    """

    active: dict[str, Alert]
    ended: dict[str, Alert]
    renamed: frozenset[str]


def match_alerts(conn: sa.Connection, occurrences: Sequence[Occurrence], since: datetime) -> MatchedAlerts:
    """Load the alerts that the occurrences belong to.

    since: alerts that an earlier version named continue if they are active, or ended after that time.
    """
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
    """Give alerts of an earlier version their fingerprint of today; the oldest one where several match."""
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
        log.info("alerts: moved %d to the current fingerprint version", len(renamed))
    return renamed
