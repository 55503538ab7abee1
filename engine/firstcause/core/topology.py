"""The graph of codes: which error is known to cause which."""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


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
