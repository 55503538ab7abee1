"""Allots rules to rule sets so that no fact passes more branches of one set than durable-rules bears.

Measured: durable-rules goes through the tests of a set as through a tree, and keeps the branches that a fact
passed and that it has yet to follow on a stack of 64; one more, and the assertion fails with error 303. Tests
that begin alike share a branch, two values of one field exclude each other, and each join is a branch of its
own. So the number of branches that any fact can pass is known from the rules alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from firstcause.inference.compiler import CompiledPattern, CompiledRule

MAX_BRANCHES = 48
"""Branches of one set that a fact may pass. durable-rules fails at 64; internal rules take a few of them."""

MAX_RULES_PER_SET = 200
"""Maximum rules in one rule set: with more than about 500, durable-rules never returns from creating it."""

_OPEN_SETS = 8
"""A rule goes into the first of so many sets that has room for it; older sets are nearly full."""


@dataclass
class _Branch:
    """One test of the tree, and what comes after it. width: branches that a fact may pass from here on."""

    by_value: dict[str, dict[str, _Branch]] = field(default_factory=dict)
    by_mark: dict[str, _Branch] = field(default_factory=dict)
    widest: dict[str, int] = field(default_factory=dict)
    joins: int = 0
    sum_widths: int = 0

    @property
    def width(self) -> int:
        return max(1, self.sum_widths)

    def count_with(self, tests: Sequence[tuple[str, str | int]], *, joined: bool) -> int:
        """Return the width if a pattern with these further tests were added."""
        if not tests:
            return max(1, self.sum_widths + joined)
        (name, value), rest = tests[0], tests[1:]
        child = self._find(name, value)
        grown = (child or _Branch()).count_with(rest, joined=joined)
        before = self._get_share(name, value, child)
        after = max(before, grown) if isinstance(value, str) else grown
        return max(1, self.sum_widths - before + after)

    def add(self, tests: Sequence[tuple[str, str | int]], *, joined: bool) -> None:
        if not tests:
            self.joins += joined
            self.sum_widths += joined
            return
        (name, value), rest = tests[0], tests[1:]
        child = self._find(name, value)
        before = self._get_share(name, value, child)
        if child is None:
            child = _Branch()
            if isinstance(value, str):
                self.by_value.setdefault(name, {})[value] = child
            else:
                self.by_mark[name] = child
        child.add(rest, joined=joined)
        after = child.width
        if isinstance(value, str):
            after = self.widest[name] = max(before, after)
        self.sum_widths += after - before

    def _find(self, name: str, value: str | int) -> _Branch | None:
        return self.by_value.get(name, {}).get(value) if isinstance(value, str) else self.by_mark.get(name)

    def _get_share(self, name: str, value: str | int, child: _Branch | None) -> int:
        if isinstance(value, str):
            return self.widest.get(name, 0)
        return child.width if child is not None else 0


@dataclass
class AllottedSet:
    """The rules of one set by their index."""

    rules: dict[int, CompiledRule] = field(default_factory=dict)
    _tree: _Branch = field(default_factory=_Branch)

    @property
    def branches(self) -> int:
        """The most branches that one fact can pass."""
        return self._tree.width

    def try_add(self, index: int, rule: CompiledRule) -> bool:
        """Add a rule if there is room; whether there was. An empty set has room for any rule."""
        if len(self.rules) >= MAX_RULES_PER_SET:
            return False
        added: set[CompiledPattern] = set()
        for pattern in rule.patterns:
            # A part of a rule that is not added makes the count only higher than it is.
            joined = bool(pattern.joins)
            if self.rules and self._tree.count_with(pattern.tests, joined=joined) > MAX_BRANCHES:
                return False
            if joined or pattern not in added:
                self._tree.add(pattern.tests, joined=joined)
            added.add(pattern)
        self.rules[index] = rule
        return True


def allot_rules(rules: Mapping[int, CompiledRule]) -> list[AllottedSet]:
    """Divide rules among sets, in their order as far as that is possible."""
    sets: list[AllottedSet] = []
    for index, rule in rules.items():
        if not _add_to_first(sets[-_OPEN_SETS:], index, rule):
            sets.append(AllottedSet())
            sets[-1].try_add(index, rule)
    return sets


def _add_to_first(sets: Iterable[AllottedSet], index: int, rule: CompiledRule) -> bool:
    return any(allotted.try_add(index, rule) for allotted in sets)
