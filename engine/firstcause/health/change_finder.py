"""What changed between the last known good state and an onset, the likeliest cause first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.facts import dependency_fact
from firstcause.core.health.comparison import DEPLOYMENT, Changed, Difference, compared, dated, differences
from firstcause.core.incidents.change_ranking import Ranking, candidates, likelihoods
from firstcause.core.model import VerdictKind
from firstcause.store import dependencies, releases, snapshots

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Incident, Verdict
    from firstcause.rulebase.rulebase import Knowledge

CHANGE = "change_"
"""How the names of thresholds begin that weigh changes; see `core.changes.Ranking`."""

SHOWN = 5
"""So many changes are told of an incident."""

RELEASE = "release"

LATE = timedelta(minutes=1)
"""So long after an onset the first error of a new release may still come."""

UNKNOWN = timedelta(days=1)
"""So far back releases count where no good state is known."""

_FARTHEST = 6


def deployments(conn: sa.Connection, since: datetime, until: datetime) -> list[Difference]:
    """New releases in that time, one a service: what was before all of them, and the last."""
    found: dict[str, Difference] = {}
    for each in releases.deployed(conn, since, until):
        name = ".".join(filter(None, (each.service, RELEASE)))
        before = found[name].before if name in found else each.before
        found[name] = Difference(DEPLOYMENT, each.service, name, before, each.after, since=each.at)
    return list(found.values())


@dataclass(frozen=True)
class WhatChanged:
    """learned_for: seconds that a call counts which was learned from errors."""

    knowledge: Knowledge
    learned_for: float

    def ranked(
        self, conn: sa.Connection, found: Sequence[Difference], suffering: Collection[str], onset: datetime
    ) -> dict[str, float]:
        """Key of each difference -> how likely it is why these components suffer."""
        since = onset - timedelta(seconds=self.learned_for)
        learned = [dependency_fact(*call) for call in dependencies.known_since(conn, since)]
        graph = self.knowledge.method(learned).graph

        def steps(changed: str, suffers: str) -> int | None:
            return 0 if changed == suffers else graph.below(suffers, _FARTHEST).get(changed)

        return likelihoods(found, suffering, onset, steps, self.knowledge.book.tuned(Ranking, CHANGE))

    def explaining(
        self, conn: sa.Connection, found: Sequence[Difference], verdicts: Iterable[Verdict], now: datetime
    ) -> dict[str, float]:
        """Key of each difference -> how likely it is why others are regressions by these verdicts."""
        regressions = {each.of for each in verdicts if each.verdict is VerdictKind.REGRESSION}
        worse = [each for each in found if f"difference:{each.key}" in regressions]
        if not worse:
            return {}
        onset = min([each.since or now for each in worse if not each.setting] or [now])
        suffering = {each.component for each in worse if each.component is not None}
        return self.ranked(conn, candidates(found, worse), suffering, onset)

    def before(self, conn: sa.Connection, incident: Incident) -> tuple[Changed, ...]:
        """The changes that may have led to an incident; only releases where no good state is known."""
        onset = incident.opened_at
        if incident.drill:
            return ()
        known = self._since_good(conn, onset)
        suffering = self._suffering(incident)
        # How its own component fares is the incident itself.
        others = [each for each in known if each.setting or each.component not in suffering]
        likely = self.ranked(conn, others, suffering, onset)
        shown = [each for each in others if each.key in likely]
        found = compared(shown, (), likely, None, onset)
        return found.changes[:SHOWN]

    def _since_good(self, conn: sa.Connection, onset: datetime) -> list[Difference]:
        good = snapshots.last_good(conn, before=onset)
        after = snapshots.at(conn, onset)
        if good is None or after is None:
            return deployments(conn, onset - UNKNOWN, onset + LATE)
        known = dated(
            differences(good.snapshot, after.snapshot, self.knowledge.notable),
            after.snapshot.since,
            after.snapshot.taken_at,
        )
        return [*known, *deployments(conn, good.snapshot.taken_at, onset + LATE)]

    def _suffering(self, incident: Incident) -> set[str]:
        entry = self.knowledge.catalog.get(incident.root.code)
        return {name for name in (entry.component if entry else None, incident.root.service) if name}
