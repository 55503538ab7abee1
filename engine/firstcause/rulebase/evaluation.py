"""Evaluates the rules on the active alerts: builds the facts of each scope, and derives the verdicts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core import facts
from firstcause.core.root_cause.attribution import MANUAL_RULE, rank_verdicts
from firstcause.core.root_cause.reach import Reach
from firstcause.core.root_cause.suspects import SuspectAnalyzer, place_alerts
from firstcause.store import alerts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Alert, Fact, Verdict
    from firstcause.core.root_cause.suspects import SuspectAnalysis
    from firstcause.rulebase.rulebase import Rulebase


_SCOPE_WORK = 10
"""The work of evaluating a scope that has hardly any fact."""

_MAX_ACROSS = 20
"""Causes in tenants that are kept for one platform alert."""


def collect_common_facts(
    conn: sa.Connection,
    rulebase: Rulebase,
    base_facts: Sequence[Fact],
    active: Iterable[Alert],
    now: datetime,
) -> list[Fact]:
    """Collect the facts that all scopes share: the given ones, the clock, and the history, if rules look."""
    has_clock = any(fact["kind"] == "clock" for fact in base_facts)
    if rulebase.wants_fact("clock", {}) and not has_clock:
        base_facts = [*base_facts, facts.clock_fact(now, rulebase.timezone, rulebase.holidays)]
    if "history" not in rulebase.inference.kinds:
        return list(base_facts)
    histories = alerts.load_history(conn, {alert.code for alert in active})
    return [*base_facts, *facts.history_facts(histories, now)]


@dataclass(frozen=True)
class OpenIncidentHistory:
    """The past of the open incidents.

    ended_alerts: their alerts that ended. notified_faults: roots of which people were notified.
    manual_verdicts: causes that people set.
    """

    ended_alerts: Sequence[Alert] = ()
    notified_faults: Collection[str] = ()
    manual_verdicts: Sequence[Verdict] = ()


class ScopeEvaluator:
    """Evaluates the active alerts by tenant.

    Rules see the alerts of one tenant and of the platform, so that no tenant's error is blamed on another.
    common: the facts that every scope sees.
    """

    def __init__(
        self,
        rulebase: Rulebase,
        active: Mapping[str, Alert],
        common: Sequence[Fact],
        now: datetime,
        history: OpenIncidentHistory = OpenIncidentHistory(),
    ) -> None:
        self._rulebase = rulebase
        self._active = active
        self._common = common
        self._now = now
        self._history = history
        self.postponed: tuple[str | None, ...] = ()
        self._affected_tenants = facts.count_affected_tenants(active.values())
        inputs, places = place_alerts(
            (*active.values(), *history.ended_alerts), rulebase.diagnosis_inputs(common)
        )
        self._reach = Reach(places, inputs.graph)
        self._analyzer = SuspectAnalyzer(inputs, common, history.notified_faults, rulebase.wants_fact, places)
        self._analyses: dict[str | None, SuspectAnalysis] = {}
        self._ended_by_tenant: dict[str | None, list[Alert]] = defaultdict(list)
        for alert in history.ended_alerts:
            self._ended_by_tenant[alert.tenant].append(alert)
        self._by_tenant: dict[str | None, list[Alert]] = defaultdict(list)
        for alert in active.values():
            self._by_tenant[alert.tenant].append(alert)

    @property
    def stand_in_alerts(self) -> dict[str, Alert]:
        """The alerts that stand for silent components in the scopes analyzed so far, by fingerprint."""
        return {
            name: alert for analysis in self._analyses.values() for name, alert in analysis.silent.items()
        }

    @property
    def doubtful(self) -> frozenset[tuple[str, str]]:
        """The doubtful pairs of the scopes analyzed so far; see `SuspectAnalysis`."""
        return frozenset().union(*(analysis.doubtful for analysis in self._analyses.values()))

    def analyze(self, tenant: str | None) -> SuspectAnalysis:
        """Analyze which components may be the root of a scope's alerts."""
        if tenant not in self._analyses:
            owners = dict.fromkeys((None, tenant))
            ended_alerts = [alert for owner in owners for alert in self._ended_by_tenant.get(owner, ())]
            self._analyses[tenant] = self._analyzer.analyze(
                self._visible_alerts(tenant), tenant, ended_alerts
            )
        return self._analyses[tenant]

    def _visible_alerts(self, tenant: str | None) -> list[Alert]:
        tenant_alerts = self._by_tenant.get(tenant, []) if tenant is not None else []
        return [*self._by_tenant.get(None, []), *tenant_alerts]

    def build_facts(self, tenant: str | None) -> list[Fact]:
        rulebase = self._rulebase
        analysis = self.analyze(tenant)
        visible = self._visible_alerts(tenant)
        visible += [alert for name, alert in analysis.silent.items() if name not in self._active]
        scope_facts = facts.scope_facts(
            visible,
            rulebase.graph,
            rulebase.catalog,
            self._affected_tenants,
            self._now,
            rulebase.wants_fact,
            self._reach,
        )
        tenants = [tenant] if tenant is not None else self._by_tenant
        tenant_facts = [
            facts.tenant_fact(name, self._by_tenant[name])
            for name in tenants
            if name is not None and name in self._by_tenant
        ]
        return [*scope_facts, *analysis.facts, *tenant_facts, *self._common]

    def derive_verdicts(
        self, changed: Iterable[Alert], waiting: Iterable[str | None] = (), max_work: int | None = None
    ) -> dict[str, tuple[Verdict, ...]]:
        """Return the verdicts on every active alert, evaluated again where a changed alert may matter.

        changed: alerts that opened, changed or ended. waiting: tenants that an earlier evaluation postponed.
        max_work: the work after which the other scopes keep their verdicts and are `postponed`. Work is
            counted in facts, so that the same events always lead to the same verdicts.
        """
        scopes = self._list_scopes(changed, waiting)
        by_alert = {name: alert.verdicts for name, alert in self._active.items()}
        across: dict[str | None, list[Verdict]] = {}
        work = 0
        for position, tenant in enumerate(scopes):
            if max_work is not None and work >= max_work:
                self.postponed = tuple(scopes[position:])
                break
            scope_facts = self.build_facts(tenant)
            verdicts = self._rulebase.inference.evaluate(scope_facts, self._now, tenant)
            work += len(scope_facts) + len(verdicts) + _SCOPE_WORK
            scope_alerts = [*self._by_tenant.get(tenant, []), *self.analyze(tenant).silent.values()]
            by_alert |= _group_by_alert(scope_alerts, verdicts)
            across[tenant] = [verdict for verdict in verdicts if self._is_across(verdict)]
        by_alert |= self._join_across(by_alert, across)
        for verdict in self._history.manual_verdicts:
            others = (other for other in by_alert[verdict.of] if other.rule != MANUAL_RULE)
            by_alert[verdict.of] = (verdict, *others)
        return by_alert

    def _list_scopes(self, changed: Iterable[Alert], waiting: Iterable[str | None]) -> list[str | None]:
        """List the scopes to evaluate: the platform's, those that have waited longest, then the others."""
        tenants = {alert.tenant for alert in changed}
        if None in tenants:
            tenants |= set(self._by_tenant)
        ordered = dict.fromkeys([*waiting, *sorted(tenants, key=str)])
        platform = [None] if None in ordered else []
        return [
            *platform,
            *(tenant for tenant in ordered if tenant is not None and tenant in self._by_tenant),
        ]

    def _is_across(self, verdict: Verdict) -> bool:
        """Whether a tenant's alert is said to cause one of the platform."""
        cause, effect = self._active.get(verdict.by or ""), self._active.get(verdict.of)
        return (
            verdict.across_tenants
            and (cause is not None and cause.tenant is not None)
            and (effect is not None and effect.tenant is None)
        )

    def _join_across(
        self, by_alert: Mapping[str, tuple[Verdict, ...]], across: Mapping[str | None, Sequence[Verdict]]
    ) -> dict[str, tuple[Verdict, ...]]:
        """Return the verdicts on platform alerts for which tenants' alerts are the cause.

        Those of scopes that were not evaluated stay; the strongest `_MAX_ACROSS` are kept.
        """
        found: dict[str, list[Verdict]] = defaultdict(list)
        for alert in self._by_tenant.get(None, ()):
            for verdict in alert.verdicts:
                if self._is_across(verdict) and self._active[str(verdict.by)].tenant not in across:
                    found[verdict.of].append(verdict)
        for verdicts in across.values():
            for verdict in verdicts:
                found[verdict.of].append(verdict)
        joined: dict[str, tuple[Verdict, ...]] = {}
        for alert in self._by_tenant.get(None, ()):
            name = alert.fingerprint
            own = [verdict for verdict in by_alert[name] if not self._is_across(verdict)]
            if found[name] or len(own) < len(by_alert[name]):
                joined[name] = (*own, *rank_verdicts(found[name])[:_MAX_ACROSS])
        return joined


def _group_by_alert(
    scope_alerts: Iterable[Alert], verdicts: Iterable[Verdict]
) -> dict[str, tuple[Verdict, ...]]:
    by_alert: dict[str, tuple[Verdict, ...]] = {alert.fingerprint: () for alert in scope_alerts}
    for verdict in verdicts:
        if verdict.of in by_alert:
            by_alert[verdict.of] += (verdict,)
    return by_alert
