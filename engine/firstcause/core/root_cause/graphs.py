"""Two graphs: which error can cause which, and which component calls which."""

from __future__ import annotations

import itertools
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING

from firstcause.core.topology.names import to_component_name
from firstcause.core.topology.targets import find_targets, last_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.model import Event

_MAX_NAME_LENGTH = 200
_MAX_READ_EVENTS = 2000
_MAX_READ_TEXTS = 300
"""Events, and different texts, of one batch in which called services are looked for."""


class CauseGraph:
    """The `causes` of the catalog, searched from effect to cause.

    Acyclic: rule files with a cycle do not load.
    """

    def __init__(self, causes: Mapping[str, Iterable[str]]) -> None:
        self._causes = {code: tuple(effects) for code, effects in causes.items()}
        self._hops_by_effect: dict[str, Mapping[str, int]] = {}

    @cached_property
    def _causes_by_effect(self) -> Mapping[str, list[str]]:
        causes: dict[str, list[str]] = {}
        for cause, effects in self._causes.items():
            for effect in effects:
                causes.setdefault(effect, []).append(cause)
        return causes

    def find_causes(self, effect: str) -> Mapping[str, int]:
        """Find every code that can cause `effect`, with the smallest number of steps between them."""
        if effect not in self._hops_by_effect:
            self._hops_by_effect[effect] = self._search_causes(effect)
        return self._hops_by_effect[effect]

    def _search_causes(self, effect: str) -> Mapping[str, int]:
        hops: dict[str, int] = {}
        queue = deque([(effect, 0)])
        while queue:
            code, steps = queue.popleft()
            for cause in self._causes_by_effect.get(code, ()):
                if cause not in hops and cause != effect:
                    hops[cause] = steps + 1
                    queue.append((cause, steps + 1))
        return hops


def calls_of(events: Iterable[Event], names: Collection[str]) -> set[tuple[str, str]]:
    """Extract (caller, callee) from errors that name what their service called. names: of tags or details."""
    calls = set()
    events = list(events)
    for event in events:
        if event.service is None or event.drill:
            continue
        for name in names:
            callee = event.tags.get(name) or event.details.get(name)
            if isinstance(callee, str) and 0 < len(callee) <= _MAX_NAME_LENGTH and callee != event.service:
                calls.add((event.service, callee))
    return calls | _list_named_calls(events)


def _list_named_calls(events: Iterable[Event]) -> set[tuple[str, str]]:
    """List the failed calls that texts name; see `core.topology.targets`. A few texts of a batch are read."""
    texts = {
        (event.service, event.message, last_line(event.stack))
        for event in itertools.islice(events, _MAX_READ_EVENTS)
        if event.service is not None and not event.drill and not event.resolved
    }
    calls = set()
    for service, message, last in itertools.islice(texts, _MAX_READ_TEXTS):
        for target in find_targets(message, last):
            callee = to_component_name(target.host)
            if callee is not None and callee != service:
                calls.add((str(service), callee))
    return calls


def releases_of(events: Iterable[Event], names: Collection[str]) -> dict[tuple[str, str], datetime]:
    """Extract (service, release) from errors that name their release -> when the first one happened.

    names: of tags or details, the first that an error has counts. The service is "" if the error names none.
    """
    first_seen: dict[tuple[str, str], datetime] = {}
    for event in events:
        if event.drill or event.resolved:
            continue
        release = None
        for name in names:
            if release := event.tags.get(name) or event.details.get(name):
                break
        if isinstance(release, str) and 0 < len(release.strip()) <= _MAX_NAME_LENGTH:
            pair = (event.service or "", release.strip())
            first_seen[pair] = min(first_seen.get(pair, event.time), event.time)
    return first_seen


class ComponentGraph:
    """Which components depend on which. Cycles are allowed: services do call each other back.

    depends_on: component -> the components that it calls, and cannot work without.
    """

    def __init__(self, depends_on: Mapping[str, Iterable[str]]) -> None:
        self._callees: dict[str, tuple[str, ...]] = {
            name: tuple(dict.fromkeys(other for other in others if other != name))
            for name, others in depends_on.items()
        }
        self._callers: dict[str, list[str]] = {}
        self._reachable: dict[tuple[str, int], tuple[dict[str, int], dict[str, int]]] = {}
        for name, others in self._callees.items():
            for other in others:
                self._callers.setdefault(other, []).append(name)

    @property
    def names(self) -> frozenset[str]:
        """The components that have an edge."""
        return frozenset((*(name for name, others in self._callees.items() if others), *self._callers))

    def list_edges(self) -> list[tuple[str, str]]:
        """List (caller, callee), in order."""
        return sorted((name, other) for name, others in self._callees.items() for other in others)

    def extend(self, edges: Mapping[str, Iterable[str]]) -> ComponentGraph:
        """Return the graph with further edges; itself if it has them all."""
        new = {
            name: [other for other in others if other != name and other not in self._callees.get(name, ())]
            for name, others in edges.items()
        }
        if not any(new.values()):
            return self
        merged: dict[str, tuple[str, ...]] = dict(self._callees)
        for name, others in new.items():
            merged[name] = (*merged.get(name, ()), *others)
        return ComponentGraph(merged)

    def number_islands(self) -> dict[str, int]:
        """Number the parts of the graph that no edge joins. component -> number."""
        numbers: dict[str, int] = {}
        for name in sorted(self.names):
            if name in numbers:
                continue
            number, queue = len(numbers), deque([name])
            while queue:
                current = queue.popleft()
                if current not in numbers:
                    numbers[current] = number
                    queue.extend(self.neighbours(current))
        return numbers

    def __contains__(self, name: object) -> bool:
        """Whether the graph has an edge of the component."""
        return bool(self._callees.get(str(name))) or str(name) in self._callers

    def callees(self, name: str) -> Sequence[str]:
        return self._callees.get(name, ())

    def callers(self, name: str) -> Sequence[str]:
        return self._callers.get(name, ())

    def dependencies_of(self, name: str, max_steps: int) -> Mapping[str, int]:
        """Find the direct and indirect dependencies, with the smallest number of steps; without itself."""
        return self._find_reachable(name, max_steps)[0]

    def dependents_of(self, name: str, max_steps: int) -> Mapping[str, int]:
        """Find the direct and indirect dependents, with the smallest number of steps; without itself."""
        return self._find_reachable(name, max_steps)[1]

    def _find_reachable(self, name: str, max_steps: int) -> tuple[dict[str, int], dict[str, int]]:
        key = name, max_steps
        if key not in self._reachable:
            callees, callers = (
                _search_reachable(name, step, max_steps) for step in (self.callees, self.callers)
            )
            self._reachable[key] = callees, callers
        return self._reachable[key]

    def siblings_of(self, name: str) -> set[str]:
        """Return the components that share a caller with `name`."""
        return {other for caller in self.callers(name) for other in self.callees(caller)} - {name}

    def neighbours(self, name: str) -> set[str]:
        return {*self.callers(name), *self.callees(name)}


def _search_reachable(name: str, step: Callable[[str], Sequence[str]], max_steps: int) -> dict[str, int]:
    distances = {name: 0}
    queue = deque([name])
    while queue:
        current = queue.popleft()
        if distances[current] == max_steps:
            break
        for other in step(current):
            if other not in distances:
                distances[other] = distances[current] + 1
                queue.append(other)
    del distances[name]
    return distances
