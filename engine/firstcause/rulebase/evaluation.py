"""Evaluates the rules on the active alerts: builds the facts of each scope, and derives the verdicts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core import facts
from firstcause.core.root_cause.attribution import MANUAL_RULE
from firstcause.core.root_cause.suspects import analyze_suspects
from firstcause.store import alerts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Alert, Fact, Verdict
    from firstcause.core.root_cause.suspects import SuspectAnalysis
    from firstcause.rulebase.rulebase import Rulebase


def collect_common_facts(
    conn: sa.Connection,
    rulebase: Rulebase,
    base_facts: Sequence[Fact],
    active: Iterable[Alert],
    now: datetime,
) -> list[Fact]:
    """Collect the facts that all scopes share: the given ones, and the history where a rule looks at it."""
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
        self._affected_tenants = facts.count_affected_tenants(active.values())
        self._inputs = rulebase.diagnosis_inputs(common)
        self._analyses: dict[str | None, SuspectAnalysis] = {}
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
            ended_alerts = [alert for alert in self._history.ended_alerts if alert.tenant in {None, tenant}]
            self._analyses[tenant] = analyze_suspects(
                self._visible_alerts(tenant),
                self._inputs,
                self._common,
                tenant,
                ended_alerts=ended_alerts,
                notified_faults=self._history.notified_faults,
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
            visible, rulebase.graph, rulebase.catalog, self._affected_tenants, self._now
        )
        tenants = [tenant] if tenant is not None else self._by_tenant
        tenant_facts = [
            facts.tenant_fact(name, self._by_tenant[name])
            for name in tenants
            if name is not None and name in self._by_tenant
        ]
        return [*scope_facts, *analysis.facts, *tenant_facts, *self._common]

    def derive_verdicts(self, changed: Iterable[str]) -> dict[str, tuple[Verdict, ...]]:
        """Return the verdicts on every active alert, evaluated again where a changed alert may matter."""
        tenants = {self._active[name].tenant for name in changed if name in self._active}
        if None in tenants or any(name not in self._active for name in changed):
            tenants = set(self._by_tenant)
        by_alert = {name: alert.verdicts for name, alert in self._active.items()}
        for tenant in sorted(tenants, key=str):
            verdicts = self._rulebase.inference.evaluate(self.build_facts(tenant))
            scope_alerts = [*self._by_tenant.get(tenant, []), *self.analyze(tenant).silent.values()]
            by_alert |= _group_by_alert(scope_alerts, verdicts)
        for verdict in self._history.manual_verdicts:
            others = (other for other in by_alert[verdict.of] if other.rule != MANUAL_RULE)
            by_alert[verdict.of] = (verdict, *others)
        return by_alert


def _group_by_alert(
    scope_alerts: Iterable[Alert], verdicts: Iterable[Verdict]
) -> dict[str, tuple[Verdict, ...]]:
    by_alert: dict[str, tuple[Verdict, ...]] = {alert.fingerprint: () for alert in scope_alerts}
    for verdict in verdicts:
        if verdict.of in by_alert:
            by_alert[verdict.of] += (verdict,)
    return by_alert
