"""Finds the stored alerts that the errors of a batch belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.grouping.overflow import overflow_fingerprints
from firstcause.store import alerts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from firstcause.core.grouping.fingerprint import Occurrence
    from firstcause.core.model import Alert


@dataclass(frozen=True)
class MatchedAlerts:
    """The stored alerts of a batch by fingerprint, overflow alerts included.

    ended: the latest ended alert of each fingerprint without an active alert.
    """

    active: dict[str, Alert]
    ended: dict[str, Alert]


def match_alerts(conn: sa.Connection, occurrences: Sequence[Occurrence]) -> MatchedAlerts:
    """Load the alerts that have the fingerprints of these occurrences or of their overflow alerts."""
    fingerprints = {occurrence.fingerprint for occurrence in occurrences} | overflow_fingerprints(occurrences)
    active = alerts.load_active_by_fingerprint(conn, fingerprints)
    ended = alerts.load_last_ended(conn, fingerprints - active.keys())
    return MatchedAlerts(active, ended)
