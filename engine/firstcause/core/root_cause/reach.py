"""Whether a cause can reach its effect: by calls, by a shared host, or because nothing speaks against it."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from firstcause.core.root_cause.ranking import MAX_STEPS

if TYPE_CHECKING:
    from firstcause.core.model import Alert
    from firstcause.core.root_cause.graphs import ComponentGraph
    from firstcause.core.topology.places import Place, Places


class Nearness(IntEnum):
    """How surely a cause reaches an effect."""

    APART = 0
    UNKNOWN = 1
    NEAR = 2


class Reach:
    """Judges pairs of alerts by where they are."""

    def __init__(self, places: Places, graph: ComponentGraph) -> None:
        self._places = places
        self._graph = graph
        self._judged: dict[tuple[Place, Place], Nearness] = {}

    def locate(self, alert: Alert) -> Place:
        return self._places.locate(alert)

    def judge(self, cause: Alert, effect: Alert) -> Nearness:
        """Judge whether what happens at the place of one alert can show at that of the other."""
        key = self._places.locate(cause), self._places.locate(effect)
        if key not in self._judged:
            self._judged[key] = self._compare(*key)
        return self._judged[key]

    def _compare(self, cause: Place, effect: Place) -> Nearness:
        if cause.component is None or effect.component is None or not (cause.named and effect.named):
            return Nearness.UNKNOWN
        is_on_host = cause.host is not None and self._is_on(effect, cause.host)
        if cause.component == effect.component or is_on_host:
            return Nearness.NEAR
        if self._has_path(cause.component, effect.component):
            return Nearness.NEAR
        # Of two that are named as the catalog names them, the catalog's own word is all that is known.
        says_more = not (cause.is_catalogs and effect.is_catalogs)
        both_placed = says_more and cause.component in self._graph and effect.component in self._graph
        is_apart = cause.bound or both_placed or (cause.host is not None and effect.host is not None)
        return Nearness.APART if is_apart else Nearness.UNKNOWN

    def _is_on(self, place: Place, host: str) -> bool:
        return place.host == host or host in self._places.hosts.get(str(place.component), ())

    def _has_path(self, cause: str, effect: str) -> bool:
        """Whether one depends on the other. A caller that floods what it calls is a cause, too."""
        reached = self._graph.dependencies_of(effect, MAX_STEPS)
        return cause in reached or cause in self._graph.dependents_of(effect, MAX_STEPS)
