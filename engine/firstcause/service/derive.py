"""What the rules conclude of the active alerts: the facts of each scope, and the verdicts on them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from firstcause.core import facts
from firstcause.store import alerts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Alert, Fact, Verdict
    from firstcause.service.knowledge import Knowledge


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


class Scopes:
    """The active alerts by tenant. Rules see one tenant's and the platform's, so that none blames another.

    common: facts that every scope sees.
    """

    def __init__(
        self, knowledge: Knowledge, active: Mapping[str, Alert], common: Sequence[Fact], now: datetime
    ) -> None:
        self._knowledge = knowledge
        self._active = active
        self._common = common
        self._now = now
        self._hit = facts.tenants_hit(active.values())
        self._by_tenant: dict[str | None, list[Alert]] = defaultdict(list)
        for alert in active.values():
            self._by_tenant[alert.tenant].append(alert)

    def facts(self, tenant: str | None) -> list[Fact]:
        own = self._by_tenant.get(tenant, [])
        visible = [*self._by_tenant.get(None, []), *(own if tenant is not None else [])]
        knowledge = self._knowledge
        seen = facts.scope_facts(visible, knowledge.graph, knowledge.catalog, self._hit, self._now)
        tenants = [tenant] if tenant is not None else self._by_tenant
        told = [
            facts.tenant_fact(name, self._by_tenant[name])
            for name in tenants
            if name is not None and name in self._by_tenant
        ]
        return [*seen, *told, *self._common]

    def derive(self, changed: Iterable[str]) -> dict[str, tuple[Verdict, ...]]:
        """The verdicts on every active alert, asked anew where a changed alert could matter."""
        touched = {self._active[name].tenant for name in changed if name in self._active}
        if None in touched or any(name not in self._active for name in changed):
            touched = set(self._by_tenant)
        given = {name: alert.verdicts for name, alert in self._active.items()}
        for tenant in sorted(touched, key=str):
            own = self._by_tenant.get(tenant, [])
            given |= _by_alert(own, self._knowledge.inference.evaluate(self.facts(tenant)))
        return given


def _by_alert(own: Iterable[Alert], verdicts: Iterable[Verdict]) -> dict[str, tuple[Verdict, ...]]:
    found: dict[str, tuple[Verdict, ...]] = {alert.fingerprint: () for alert in own}
    for verdict in verdicts:
        if verdict.of in found:
            found[verdict.of] += (verdict,)
    return found
