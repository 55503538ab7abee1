"""What the rules conclude of the active alerts: the facts of each scope, and the verdicts on them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core import facts
from firstcause.core.root_cause.attribution import BY_HAND
from firstcause.core.root_cause.suspects import suspicion
from firstcause.store import alerts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Alert, Fact, Verdict
    from firstcause.core.root_cause.suspects import Suspicion
    from firstcause.rulebase.rulebase import Knowledge


def common_facts(
    conn: sa.Connection,
    knowledge: Knowledge,
    told: Sequence[Fact],
    active: Iterable[Alert],
    now: datetime,
) -> list[Fact]:
    """What is told besides the alerts, and the history where any rule asks for it."""
    if "history" not in knowledge.inference.kinds:
        return list(told)
    known = alerts.history(conn, {alert.code for alert in active})
    return [*told, *facts.history_facts(known, now)]


@dataclass(frozen=True)
class Seen:
    """What open incidents went through.

    over: their alerts that ended. said: roots that were told of. by_hand: what people said of causes.
    """

    over: Sequence[Alert] = ()
    said: Collection[str] = ()
    by_hand: Sequence[Verdict] = ()


class Scopes:
    """The active alerts by tenant. Rules see one tenant's and the platform's, so that none blames another.

    common: facts that every scope sees.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        active: Mapping[str, Alert],
        common: Sequence[Fact],
        now: datetime,
        seen: Seen = Seen(),
    ) -> None:
        self._knowledge = knowledge
        self._active = active
        self._common = common
        self._now = now
        self._seen = seen
        self._hit = facts.tenants_hit(active.values())
        self._method = knowledge.method(common)
        self._suspicions: dict[str | None, Suspicion] = {}
        self._by_tenant: dict[str | None, list[Alert]] = defaultdict(list)
        for alert in active.values():
            self._by_tenant[alert.tenant].append(alert)

    @property
    def stand_ins(self) -> dict[str, Alert]:
        """Alerts that stand for components which say nothing, of the scopes asked so far, by fingerprint."""
        return {name: alert for one in self._suspicions.values() for name, alert in one.silent.items()}

    @property
    def doubtful(self) -> frozenset[tuple[str, str]]:
        """See `Suspicion`; of the scopes asked so far."""
        return frozenset().union(*(one.doubtful for one in self._suspicions.values()))

    def suspicion(self, tenant: str | None) -> Suspicion:
        """Who may be the root of what is seen in a scope."""
        if tenant not in self._suspicions:
            over = [alert for alert in self._seen.over if alert.tenant in {None, tenant}]
            self._suspicions[tenant] = suspicion(
                self._visible(tenant), self._method, self._common, tenant, over=over, said=self._seen.said
            )
        return self._suspicions[tenant]

    def _visible(self, tenant: str | None) -> list[Alert]:
        own = self._by_tenant.get(tenant, []) if tenant is not None else []
        return [*self._by_tenant.get(None, []), *own]

    def facts(self, tenant: str | None) -> list[Fact]:
        knowledge = self._knowledge
        suspected = self.suspicion(tenant)
        visible = self._visible(tenant)
        visible += [alert for name, alert in suspected.silent.items() if name not in self._active]
        seen = facts.scope_facts(visible, knowledge.graph, knowledge.catalog, self._hit, self._now)
        tenants = [tenant] if tenant is not None else self._by_tenant
        told = [
            facts.tenant_fact(name, self._by_tenant[name])
            for name in tenants
            if name is not None and name in self._by_tenant
        ]
        return [*seen, *suspected.facts, *told, *self._common]

    def derive(self, changed: Iterable[str]) -> dict[str, tuple[Verdict, ...]]:
        """The verdicts on every active alert, asked anew where a changed alert could matter."""
        touched = {self._active[name].tenant for name in changed if name in self._active}
        if None in touched or any(name not in self._active for name in changed):
            touched = set(self._by_tenant)
        given = {name: alert.verdicts for name, alert in self._active.items()}
        for tenant in sorted(touched, key=str):
            verdicts = self._knowledge.inference.evaluate(self.facts(tenant))
            own = [*self._by_tenant.get(tenant, []), *self.suspicion(tenant).silent.values()]
            given |= _by_alert(own, verdicts)
        for verdict in self._seen.by_hand:
            others = (each for each in given[verdict.of] if each.rule != BY_HAND)
            given[verdict.of] = (verdict, *others)
        return given


def _by_alert(own: Iterable[Alert], verdicts: Iterable[Verdict]) -> dict[str, tuple[Verdict, ...]]:
    found: dict[str, tuple[Verdict, ...]] = {alert.fingerprint: () for alert in own}
    for verdict in verdicts:
        if verdict.of in found:
            found[verdict.of] += (verdict,)
    return found
