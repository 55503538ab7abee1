"""The part of the graph that an incident stands in: its root, what follows, and what beside them is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.model import Role, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from firstcause.core.model import Alert
    from firstcause.core.root_cause.graphs import ComponentGraph

ROOT, CASCADE, HEALTHY, UNKNOWN, TROUBLED = "root", "cascade", "healthy", "unknown", "troubled"

_MAX_NEIGHBOURS = 6
_MAX_UNPROBED = 2
"""Components without an alert that are shown at most, and of them those that no probe looks at."""


def build_neighbourhood(
    members: Sequence[Alert], graph: ComponentGraph, statuses: Mapping[str, Status]
) -> dict[str, list[dict[str, Any]]]:
    """{nodes: [{name, state, layer, codes, events}], edges: [{cause, effect, seen}]}.

    statuses: by component, of those that a probe looks at. layer: 0 for roots, the effects to the right,
    what roots stand on to the left (-1). seen: whether the incident shows it, or only the rule files say so.
    """
    locations = {alert.fingerprint: locate_alert(alert) for alert in members}
    states: dict[str, str] = {}
    for alert in members:
        name = locations[alert.fingerprint]
        if states.get(name) != ROOT:
            states[name] = ROOT if alert.role is Role.ROOT else CASCADE
    observed_edges = {
        (locations[alert.caused_by], locations[alert.fingerprint])
        for alert in members
        if alert.caused_by in locations and locations[alert.caused_by] != locations[alert.fingerprint]
    }
    affected = set(states)
    for name in _select_neighbours(states, graph, statuses):
        states[name] = _node_state(statuses.get(name))
    rule_edges = {
        (other, name)
        for name in states
        for other in graph.callees(name)
        if other in states and not affected.isdisjoint((name, other))
    }
    edges = [
        {"cause": cause, "effect": effect, "seen": (cause, effect) in observed_edges}
        for cause, effect in sorted(observed_edges | rule_edges)
    ]
    layers = _assign_layers(states, observed_edges, observed_edges | rule_edges)
    nodes = [
        {"name": name, "state": state, "layer": layers[name], **_node_counts(name, members, locations)}
        for name, state in states.items()
    ]
    return {"nodes": nodes, "edges": edges}


def locate_alert(alert: Alert) -> str:
    """Where in the system an alert is."""
    return alert.component or alert.service or alert.code


def _select_neighbours(
    states: Mapping[str, str], graph: ComponentGraph, statuses: Mapping[str, Status]
) -> list[str]:
    """Those next to what is hit: what a probe looks at first, for of it we know that it is well."""
    adjacent = (other for name in states for other in (*graph.callees(name), *graph.callers(name)))
    candidates = [name for name in dict.fromkeys(adjacent) if name not in states]
    probed = [name for name in candidates if name in statuses]
    return [*probed, *[name for name in candidates if name not in statuses][:_MAX_UNPROBED]][:_MAX_NEIGHBOURS]


def _node_state(status: Status | None) -> str:
    if status is None:
        return UNKNOWN
    return HEALTHY if status is Status.UP else TROUBLED


def _assign_layers(
    states: Mapping[str, str], observed_edges: Iterable[tuple[str, str]], edges: Iterable[tuple[str, str]]
) -> dict[str, int]:
    """Steps from a root along what the incident shows, then along the graph; the rest beside the root."""
    layers = {name: 0 for name, state in states.items() if state == ROOT}
    for edge_list in (list(observed_edges), list(edges)):
        for _ in states:
            for cause, effect in edge_list:
                if cause in layers and effect not in layers:
                    layers[effect] = layers[cause] + 1
    for cause, effect in edges:
        if cause not in layers and effect in layers:
            layers[cause] = layers[effect] - 1
    return {name: layers.get(name, 1) for name in states}


def _node_counts(name: str, members: Iterable[Alert], locations: Mapping[str, str]) -> dict[str, Any]:
    local_alerts = [alert for alert in members if locations[alert.fingerprint] == name]
    codes = sorted({alert.code for alert in local_alerts})
    return {"codes": codes, "events": sum(alert.count for alert in local_alerts)}
