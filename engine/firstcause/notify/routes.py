"""Which routes an incident takes, and which notifier of a route can speak."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from firstcause.config import Route
    from firstcause.core.model import Incident
    from firstcause.hookspecs.types import Notifier

log = logging.getLogger("firstcause.notify")


def routes_for(
    incident: Incident,
    components: Collection[str],
    routes: Mapping[str, Route],
    notifiers: Mapping[str, Notifier],
    only: str | None = None,
) -> dict[str, tuple[str, ...]]:
    """Name of each route taken -> its notifiers in order. The first that fits, and on where it says so.

    Without routes in the configuration there is one: every notifier that speaks by default, those of last
    resort at the end. only: the route that a drill asks for, whether it fits or not.
    """
    if only is not None and only in routes:
        return {only: routes[only].notifiers}
    if not routes:
        speaking = (each for each in notifiers.values() if each.default)
        ordered = sorted(speaking, key=lambda each: (each.last_resort, each.name))
        return {"default": tuple(each.name for each in ordered)} if ordered else {}
    taken: dict[str, tuple[str, ...]] = {}
    for name, route in routes.items():
        if route.direct and fits(route, incident, components):
            taken[name] = route.notifiers
            if not route.then_continue:
                break
    return taken


def fits(route: Route, incident: Incident, components: Collection[str]) -> bool:
    """An empty list in a route means any."""
    return (
        (not route.priorities or incident.priority in route.priorities)
        and (not route.severities or incident.severity in route.severities)
        and (not route.tenants or not set(route.tenants).isdisjoint(incident.impact.companies))
        and (not route.components or not set(route.components).isdisjoint(components))
    )


def first_able(
    names: Sequence[str], position: int, broken: Collection[str], notifiers: Mapping[str, Notifier]
) -> int | None:
    """The place in the route of the first notifier, from `position` on, that can speak.

    It can where it does not stand on what is broken.
    """
    for place in range(position, len(names)):
        notifier = notifiers.get(names[place])
        if notifier is None:
            log.error("route names notifier %s, which no plugin offers; the next takes over", names[place])
        elif shared := notifier.stands_on.intersection(broken):
            log.warning(
                "notifier %s stands on %s, which is broken; the next takes over", names[place], min(shared)
            )
        else:
            return place
    return None
