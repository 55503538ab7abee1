"""Matches incidents to routes, and tells which of their notifiers can send."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from firstcause.config.notify import Route
    from firstcause.core.model import Incident
    from firstcause.hookspecs.types import Notifier

DEFAULT_ROUTE = "default"
"""The route where the configuration has none."""


def list_routes(routes: Mapping[str, Route], notifiers: Mapping[str, Notifier]) -> dict[str, tuple[str, ...]]:
    """Return the notifiers, in order, of all routes by name.

    Without routes in the configuration there is one route, "default": every notifier that sends by default,
    those of last resort at the end.
    """
    if routes:
        return {name: route.notifiers for name, route in routes.items()}
    default_notifiers = (notifier for notifier in notifiers.values() if notifier.default)
    ordered = sorted(default_notifiers, key=lambda notifier: (notifier.last_resort, notifier.name))
    return {DEFAULT_ROUTE: tuple(notifier.name for notifier in ordered)}


def match_routes(
    incident: Incident,
    components: Collection[str],
    routes: Mapping[str, Route],
    notifiers: Mapping[str, Notifier],
    only_route: str | None = None,
) -> dict[str, tuple[str, ...]]:
    """Return the notifiers, in order, of each route that takes the incident, by the name of the route.

    The first route that matches takes the incident; later ones do too while `continue` is set.

    only_route: the route that a drill asks for, whether it matches or not; None for all.
    """
    if only_route is not None and only_route in routes:
        return {only_route: routes[only_route].notifiers}
    if not routes:
        return {name: names for name, names in list_routes(routes, notifiers).items() if names}
    matched: dict[str, tuple[str, ...]] = {}
    for name, route in routes.items():
        if not route.escalation_only and matches_route(route, incident, components):
            matched[name] = route.notifiers
            if not route.then_continue:
                break
    return matched


def matches_route(route: Route, incident: Incident, components: Collection[str]) -> bool:
    """Whether a route takes an incident. An empty list in the route means any."""
    return (
        (not route.priorities or incident.priority in route.priorities)
        and (not route.severities or incident.severity in route.severities)
        and (not route.tenants or not set(route.tenants).isdisjoint(incident.impact.companies))
        and (not route.components or not set(route.components).isdisjoint(components))
    )


def find_obstacle(
    name: str,
    broken_components: Collection[str],
    notifiers: Mapping[str, Notifier],
    hanging: Collection[str],
) -> str | None:
    """Find why a notifier cannot send now; None if it can.

    hanging: names of the notifiers whose earlier call has not returned.
    """
    notifier = notifiers.get(name)
    if notifier is None:
        return "no plugin offers it"
    if name in hanging:
        return "it has not returned from an earlier call"
    if shared := notifier.depends_on.intersection(broken_components):
        return f"it depends on {min(shared)}, which is broken"
    return None
