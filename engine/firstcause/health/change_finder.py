"""Finds what changed between the last known good state and an onset, and ranks the likely causes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.facts import dependency_fact
from firstcause.core.health.comparison import (
    DEPLOYMENT,
    AssessedDifference,
    Difference,
    assess,
    find_differences,
    with_first_seen,
)
from firstcause.core.incidents.change_ranking import ChangeWeights, rank_changes, select_candidates
from firstcause.core.model import VerdictKind
from firstcause.store import dependencies, releases, snapshots

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Incident, Verdict
    from firstcause.rulebase.rulebase import Rulebase

CHANGE_PREFIX = "change_"
"""The prefix of the thresholds that set `ChangeWeights`."""

MAX_CHANGES = 5
"""Changes that an incident shows."""

RELEASE = "release"

RELEASE_GRACE = timedelta(minutes=1)
"""How long after an onset the first error of a new release may still arrive."""

RELEASE_LOOKBACK = timedelta(days=1)
"""How far back releases count where there is no known good state."""

_MAX_HOPS = 6


def find_deployments(conn: sa.Connection, since: datetime, until: datetime) -> list[Difference]:
    """Find new releases in that time: one difference a service, from before the first release to the last."""
    by_name: dict[str, Difference] = {}
    for release in releases.list_deployments(conn, since, until):
        name = ".".join(filter(None, (release.service, RELEASE)))
        before = by_name[name].before if name in by_name else release.before
        by_name[name] = Difference(DEPLOYMENT, release.service, name, before, release.after, since=release.at)
    return list(by_name.values())


@dataclass(frozen=True)
class ChangeFinder:
    """Ranks changes by the dependency graph. learned_ttl_s: seconds for which calls seen in errors count."""

    rulebase: Rulebase
    learned_ttl_s: float

    def rank(
        self, conn: sa.Connection, changes: Sequence[Difference], affected: Collection[str], onset: datetime
    ) -> dict[str, float]:
        """Return by key of each change how likely it is to have caused the trouble of these components."""
        since = onset - timedelta(seconds=self.learned_ttl_s)
        learned_facts = [dependency_fact(*call) for call in dependencies.list_since(conn, since)]
        graph = self.rulebase.diagnosis_inputs(learned_facts).graph

        def count_hops(changed_component: str, affected_component: str) -> int | None:
            return (
                0
                if changed_component == affected_component
                else graph.dependencies_of(affected_component, _MAX_HOPS).get(changed_component)
            )

        return rank_changes(
            changes,
            affected,
            onset,
            count_hops,
            self.rulebase.book.from_thresholds(ChangeWeights, CHANGE_PREFIX),
        )

    def rank_regression_causes(
        self, conn: sa.Connection, changes: Sequence[Difference], verdicts: Iterable[Verdict], now: datetime
    ) -> dict[str, float]:
        """Return by key of each change how likely it is to have caused the regressions in these verdicts."""
        regressions = {verdict.of for verdict in verdicts if verdict.verdict is VerdictKind.REGRESSION}
        regressed_changes = [change for change in changes if f"difference:{change.key}" in regressions]
        if not regressed_changes:
            return {}
        onset = min([change.since or now for change in regressed_changes if not change.is_setting] or [now])
        affected = {change.component for change in regressed_changes if change.component is not None}
        return self.rank(conn, select_candidates(changes, regressed_changes), affected, onset)

    def find_changes_before(self, conn: sa.Connection, incident: Incident) -> tuple[AssessedDifference, ...]:
        """Find the changes that may have caused an incident; without a known good state, releases only."""
        onset = incident.opened_at
        if incident.drill:
            return ()
        changes = self._find_changes_since_good(conn, onset)
        affected = self._find_affected_components(incident)
        # Measurements of the affected components are the incident itself, not its cause.
        other_changes = [
            change for change in changes if change.is_setting or change.component not in affected
        ]
        likelihood_by_key = self.rank(conn, other_changes, affected, onset)
        likely_changes = [change for change in other_changes if change.key in likelihood_by_key]
        assessed = assess(likely_changes, (), likelihood_by_key, None, onset)
        return assessed.changes[:MAX_CHANGES]

    def _find_changes_since_good(self, conn: sa.Connection, onset: datetime) -> list[Difference]:
        last_good = snapshots.load_last_good(conn, before=onset)
        at_onset = snapshots.load_nearest(conn, onset)
        if last_good is None or at_onset is None:
            return find_deployments(conn, onset - RELEASE_LOOKBACK, onset + RELEASE_GRACE)
        changes = with_first_seen(
            find_differences(last_good.snapshot, at_onset.snapshot, self.rulebase.min_notable_change),
            at_onset.snapshot.since,
            at_onset.snapshot.taken_at,
        )
        return [*changes, *find_deployments(conn, last_good.snapshot.taken_at, onset + RELEASE_GRACE)]

    def _find_affected_components(self, incident: Incident) -> set[str]:
        entry = self.rulebase.catalog.get(incident.root.code)
        return {name for name in (entry.component if entry else None, incident.root.service) if name}
