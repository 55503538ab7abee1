"""Collects the facts that rules see apart from alerts and health: the past, silences, topology, plugins."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.facts import Change, change_fact, dependency_fact, past_root_facts, silence_facts
from firstcause.health.change_finder import find_deployments
from firstcause.health.system_state import CHANGE_TTL
from firstcause.hookspecs.types import FactContext
from firstcause.inference.patterns import matches_fully
from firstcause.store import dependencies, incidents, silences

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.health.comparison import Difference
    from firstcause.core.model import Alert, Fact
    from firstcause.plugins.manager import PluginManager

ROOT_HISTORY_WINDOW = timedelta(days=90)
"""How long it counts for a component that it was a root before."""


def collect_facts(
    conn: sa.Connection,
    active: Iterable[Alert],
    plugins: PluginManager,
    now: datetime,
    learned_ttl_s: float,
) -> list[Fact]:
    """Collect facts of past roots, silences, dependencies, deployments and plugins.

    active: all active alerts; those of drills produce no facts.
    learned_ttl_s: seconds for which a call between services counts that was learned from errors.
    """
    real_alerts = [alert for alert in active if not alert.drill]
    calls = dependencies.list_since(conn, now - timedelta(seconds=learned_ttl_s))
    deployments = find_deployments(conn, now - CHANGE_TTL, now)
    return [
        *past_root_facts(incidents.count_past_roots(conn, now - ROOT_HISTORY_WINDOW)),
        *silence_facts(real_alerts, silences.load_active(conn, now), matches_fully),
        *(dependency_fact(*call) for call in calls),
        *(_build_deployment_fact(deployment, now) for deployment in deployments),
        *plugins.facts(_build_fact_context(real_alerts)),
    ]


def _build_deployment_fact(difference: Difference, now: datetime) -> Fact:
    since, before, after = difference.since or now, str(difference.before), str(difference.after)
    return change_fact(
        Change(difference.category, difference.component, difference.name, before, after, since), now
    )


def _build_fact_context(active: Iterable[Alert]) -> FactContext:
    active_alerts = list(active)
    tenants = frozenset(alert.tenant for alert in active_alerts if alert.tenant is not None)
    return FactContext(frozenset(alert.code for alert in active_alerts), tenants)
