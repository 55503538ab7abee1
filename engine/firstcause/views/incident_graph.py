"""The part of the graph that an incident stands in: its root, what follows, and what beside them is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.model import Role, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from firstcause.core.model import Alert
    from firstcause.core.root_cause.graphs import ComponentGraph

ROOT, CASCADE, HEALTHY, UNKNOWN, TROUBLED = "root", "cascade", "healthy", "unknown", "troubled"

_BESIDE = 6
_UNWATCHED = 2
"""Components without an alert that are shown at most, and of them those that no probe looks at."""


def neighbourhood(
    members: Sequence[Alert], graph: ComponentGraph, statuses: Mapping[str, Status]
) -> dict[str, list[dict[str, Any]]]:
    """{nodes: [{name, state, layer, codes, events}], edges: [{cause, effect, seen}]}.

    statuses: by component, of those that a probe looks at. layer: 0 for roots, the effects to the right,
    what roots stand on to the left (-1). seen: whether the incident shows it, or only the rule files say so.
    """
    at = {alert.fingerprint: place(alert) for alert in members}
    states: dict[str, str] = {}
    for alert in members:
        name = at[alert.fingerprint]
        if states.get(name) != ROOT:
            states[name] = ROOT if alert.role is Role.ROOT else CASCADE
    seen = {
        (at[alert.caused_by], at[alert.fingerprint])
        for alert in members
        if alert.caused_by in at and at[alert.caused_by] != at[alert.fingerprint]
    }
    hit = set(states)
    for name in _beside(states, graph, statuses):
        states[name] = _state(statuses.get(name))
    known = {
        (other, name)
        for name in states
        for other in graph.callees(name)
        if other in states and not hit.isdisjoint((name, other))
    }
    edges = [
        {"cause": cause, "effect": effect, "seen": (cause, effect) in seen}
        for cause, effect in sorted(seen | known)
    ]
    layers = _layers(states, seen, seen | known)
    nodes = [
        {"name": name, "state": state, "layer": layers[name], **_counts(name, members, at)}
        for name, state in states.items()
    ]
    return {"nodes": nodes, "edges": edges}


def place(alert: Alert) -> str:
    """Where in the system an alert is."""
    return alert.component or alert.service or alert.code


def _beside(states: Mapping[str, str], graph: ComponentGraph, statuses: Mapping[str, Status]) -> list[str]:
    """Those next to what is hit: what a probe looks at first, for of it we know that it is well."""
    near = (other for name in states for other in (*graph.callees(name), *graph.callers(name)))
    found = [name for name in dict.fromkeys(near) if name not in states]
    watched = [name for name in found if name in statuses]
    return [*watched, *[name for name in found if name not in statuses][:_UNWATCHED]][:_BESIDE]


def _state(status: Status | None) -> str:
    if status is None:
        return UNKNOWN
    return HEALTHY if status is Status.UP else TROUBLED


def _layers(
    states: Mapping[str, str], seen: Iterable[tuple[str, str]], edges: Iterable[tuple[str, str]]
) -> dict[str, int]:
    """Steps from a root along what the incident shows, then along the graph; the rest beside the root."""
    layers = {name: 0 for name, state in states.items() if state == ROOT}
    for known in (list(seen), list(edges)):
        for _ in states:
            for cause, effect in known:
                if cause in layers and effect not in layers:
                    layers[effect] = layers[cause] + 1
    for cause, effect in edges:
        if cause not in layers and effect in layers:
            layers[cause] = layers[effect] - 1
    return {name: layers.get(name, 1) for name in states}


def _counts(name: str, members: Iterable[Alert], at: Mapping[str, str]) -> dict[str, Any]:
    here = [alert for alert in members if at[alert.fingerprint] == name]
    codes = sorted({alert.code for alert in here})
    return {"codes": codes, "events": sum(alert.count for alert in here)}
