"""What the rules conclude of the active alerts: the facts of each scope, and the verdicts on them."""

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
    """What is told besides the alerts, and the history where any rule asks for it."""
    if "history" not in rulebase.inference.kinds:
        return list(base_facts)
    histories = alerts.load_history(conn, {alert.code for alert in active})
    return [*base_facts, *facts.history_facts(histories, now)]


@dataclass(frozen=True)
class OpenIncidentHistory:
    """What open incidents went through.

    over: their alerts that ended. said: roots that were told of. by_hand: what people said of causes.
    """

    ended_alerts: Sequence[Alert] = ()
    notified_faults: Collection[str] = ()
    manual_verdicts: Sequence[Verdict] = ()


class ScopeEvaluator:
    """The active alerts by tenant. Rules see one tenant's and the platform's, so that none blames another.

    common: facts that every scope sees.
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
        """Alerts that stand for components which say nothing, of the scopes asked so far, by fingerprint."""
        return {
            name: alert for analysis in self._analyses.values() for name, alert in analysis.silent.items()
        }

    @property
    def doubtful(self) -> frozenset[tuple[str, str]]:
        """See `Suspicion`; of the scopes asked so far."""
        return frozenset().union(*(analysis.doubtful for analysis in self._analyses.values()))

    def analyze(self, tenant: str | None) -> SuspectAnalysis:
        """Who may be the root of what is seen in a scope."""
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
        """The verdicts on every active alert, asked anew where a changed alert could matter."""
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
