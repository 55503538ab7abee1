"""Which alerts a batch meets: those that its errors go on in, under whichever version they were named."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.grouping.aggregation import is_late
from firstcause.core.grouping.legacy_fingerprint import former
from firstcause.core.grouping.overflow import Limits, Room, bounded, counts, homes
from firstcause.store import alerts, cardinality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Intake
    from firstcause.core.grouping.fingerprint import Occurrence
    from firstcause.core.model import Alert

log = logging.getLogger("firstcause.triage")

_WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class Standing:
    """The active alerts and the latest ended ones, with those in which further kinds count; by fingerprint.

    renamed: those that had a name of an earlier version until now.
    """

    known: dict[str, Alert]
    ended: dict[str, Alert]
    renamed: frozenset[str]


def standing(conn: sa.Connection, occurrences: Sequence[Occurrence], since: datetime) -> Standing:
    """since: what an earlier version named goes on if it is active, or ended after that."""
    names = {each.fingerprint for each in occurrences} | homes(occurrences)
    known = alerts.active_by_fingerprint(conn, names)
    ended = alerts.last_ended(conn, names - known.keys())
    unknown = names - known.keys() - ended.keys()
    renamed = _continued(conn, [each for each in occurrences if each.fingerprint in unknown], since)
    for name, alert in renamed.items():
        (known if alert.active else ended)[name] = alert
    return Standing(known, ended, frozenset(renamed))


def _continued(conn: sa.Connection, occurrences: Sequence[Occurrence], since: datetime) -> dict[str, Alert]:
    """Rename what these errors were under an earlier version; the oldest alert where there are several."""
    named = {old.fingerprint: (old, each) for each in occurrences if (old := former(each)) is not None}
    if not named:
        return {}
    found = alerts.active_by_fingerprint(conn, named)
    over = alerts.last_ended(conn, named.keys() - found.keys())
    found |= {name: each for name, each in over.items() if each.resolved_at and each.resolved_at >= since}
    continued: dict[str, Alert] = {}
    for name, before in sorted(found.items(), key=lambda each: each[1].stored_id or 0):
        old, each = named[name]
        if each.fingerprint in continued or before.fault not in {old.fault, each.fault}:
            continue
        names = {"fingerprint": each.fingerprint, "fault": each.fault, "former": before.fingerprint}
        after = before.model_copy(update=names)
        cardinality.rename(conn, before, after, since)
        continued[each.fingerprint] = after
    if continued:
        log.info("%d alerts go on under the names of a newer version", len(continued))
    return continued


def within_limits(
    conn: sa.Connection,
    occurrences: Sequence[Occurrence],
    known: Mapping[str, Alert],
    over: Mapping[str, datetime],
    intake: Intake,
    now: datetime,
) -> list[Occurrence]:
    """The occurrences, of those that would open an alert beyond the limits as one that counts in another."""

    def opens(each: Occurrence) -> bool:
        return each.fingerprint not in known and not is_late(each, over)

    if not any(counts(each) and opens(each) for each in occurrences):
        return list(occurrences)
    room = Room(Limits(intake.kinds, intake.kinds_in_all), cardinality.kinds(conn, now - _WINDOW))
    return bounded(occurrences, opens, room)
