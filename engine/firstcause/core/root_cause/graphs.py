"""Two graphs: which error is known to cause which, and which component calls which."""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.model import Event

_LONGEST = 200


class CauseGraph:
    """`causes` of the catalog, asked backwards. Acyclic: rule files with a cycle do not load."""

    def __init__(self, causes: Mapping[str, Iterable[str]]) -> None:
        self._causes = {code: tuple(effects) for code, effects in causes.items()}
        self._hops: dict[str, Mapping[str, int]] = {}

    @cached_property
    def _parents(self) -> Mapping[str, list[str]]:
        parents: dict[str, list[str]] = {}
        for cause, effects in self._causes.items():
            for effect in effects:
                parents.setdefault(effect, []).append(cause)
        return parents

    def hops(self, effect: str) -> Mapping[str, int]:
        """Every code that can cause `effect`, with the least number of steps between them."""
        if effect not in self._hops:
            self._hops[effect] = self._walk(effect)
        return self._hops[effect]

    def _walk(self, effect: str) -> Mapping[str, int]:
        found: dict[str, int] = {}
        queue = deque([(effect, 0)])
        while queue:
            code, distance = queue.popleft()
            for parent in self._parents.get(code, ()):
                if parent not in found and parent != effect:
                    found[parent] = distance + 1
                    queue.append((parent, distance + 1))
        return found


def calls_of(events: Iterable[Event], names: Collection[str]) -> set[tuple[str, str]]:
    """(caller, callee) of errors that say what their service called. names: of tags or details."""
    found = set()
    for event in events:
        if event.service is None or event.drill:
            continue
        for name in names:
            callee = event.tags.get(name) or event.details.get(name)
            if isinstance(callee, str) and 0 < len(callee) <= _LONGEST and callee != event.service:
                found.add((event.service, callee))
    return found


def releases_of(events: Iterable[Event], names: Collection[str]) -> dict[tuple[str, str], datetime]:
    """(service, release) of errors that name theirs -> when the first happened. names: of tags or details.

    The service is empty where none is named.
    """
    found: dict[tuple[str, str], datetime] = {}
    for event in events:
        if event.drill or event.resolved:
            continue
        release = None
        for name in names:
            if release := event.tags.get(name) or event.details.get(name):
                break
        if isinstance(release, str) and 0 < len(release.strip()) <= _LONGEST:
            pair = (event.service or "", release.strip())
            found[pair] = min(found.get(pair, event.time), event.time)
    return found


class ComponentGraph:
    """Which components need which. Circles are allowed: services do call each other back.

    depends_on: component -> those that it calls, and cannot work without.
    """

    def __init__(self, depends_on: Mapping[str, Iterable[str]]) -> None:
        self._down: dict[str, tuple[str, ...]] = {
            name: tuple(dict.fromkeys(other for other in others if other != name))
            for name, others in depends_on.items()
        }
        self._up: dict[str, list[str]] = {}
        self._reach: dict[tuple[str, int], tuple[dict[str, int], dict[str, int]]] = {}
        for name, others in self._down.items():
            for other in others:
                self._up.setdefault(other, []).append(name)

    def __contains__(self, name: object) -> bool:
        """Whether anything is known of the component's place."""
        return bool(self._down.get(str(name))) or str(name) in self._up

    def callees(self, name: str) -> Sequence[str]:
        return self._down.get(name, ())

    def callers(self, name: str) -> Sequence[str]:
        return self._up.get(name, ())

    def below(self, name: str, farthest: int) -> Mapping[str, int]:
        """All that it needs, directly or through others, with the least number of steps; not itself."""
        return self._around(name, farthest)[0]

    def above(self, name: str, farthest: int) -> Mapping[str, int]:
        """All that need it, with the least number of steps; not itself."""
        return self._around(name, farthest)[1]

    def _around(self, name: str, farthest: int) -> tuple[dict[str, int], dict[str, int]]:
        place = name, farthest
        if place not in self._reach:
            below, above = (_reached(name, step, farthest) for step in (self.callees, self.callers))
            self._reach[place] = below, above
        return self._reach[place]

    def beside(self, name: str) -> set[str]:
        """Those that share a caller with it."""
        return {other for caller in self.callers(name) for other in self.callees(caller)} - {name}

    def neighbours(self, name: str) -> set[str]:
        return {*self.callers(name), *self.callees(name)}


def _reached(name: str, step: Callable[[str], Sequence[str]], farthest: int) -> dict[str, int]:
    found = {name: 0}
    queue = deque([name])
    while queue:
        at = queue.popleft()
        if found[at] == farthest:
            break
        for other in step(at):
            if other not in found:
                found[other] = found[at] + 1
                queue.append(other)
    del found[name]
    return found
