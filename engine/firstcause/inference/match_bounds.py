"""Bounds how many combinations of facts a rule makes, before the rule engine makes them.

durable-rules keeps every combination that matches the first patterns of a rule, so two patterns that nothing
joins cost the product of their facts, in time and in memory. What a rule will cost is known from the facts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import accumulate, takewhile
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from firstcause.inference.compiler import AssertedFact, CompiledPattern, CompiledRule

    FactIndex = Mapping[tuple[str | int, ...], Sequence[AssertedFact]]

MIN_COMBINATIONS = 10_000
"""Combinations of facts that every rule may make in one evaluation."""

COMBINATIONS_PER_FACT = 4
"""Combinations for each fact that one of its patterns takes, where that is more."""

MAX_COMBINATIONS_FACTOR = 5
"""All rules together may make this many times what one rule may."""


class PatternTable:
    """The patterns of some rules, each once, by kind."""

    def __init__(self, rules: Mapping[int, CompiledRule]) -> None:
        self.rules = rules
        patterns = dict.fromkeys(pattern for rule in rules.values() for pattern in rule.patterns)
        numbers = {pattern: number for number, pattern in enumerate(patterns)}
        self.when = {index: [numbers[each] for each in rule.when] for index, rule in rules.items()}
        self.all = {index: [numbers[each] for each in rule.patterns] for index, rule in rules.items()}
        self._size = len(numbers)
        self._by_kind: dict[str, list[tuple[int, CompiledPattern]]] = defaultdict(list)
        for pattern, number in numbers.items():
            self._by_kind[pattern.kind].append((number, pattern))

    def take(self, facts: Iterable[AssertedFact]) -> TakenFacts:
        """Find the facts that each pattern takes."""
        taken: list[list[AssertedFact]] = [[] for _ in range(self._size)]
        for fact in facts:
            for number, pattern in self._by_kind.get(str(fact["k"]), ()):
                if pattern.takes(fact):
                    taken[number].append(fact)
        return TakenFacts(self, taken)


@dataclass(frozen=True)
class TakenFacts:
    """The facts that each pattern takes by its kind and its literal conditions, joins left aside."""

    table: PatternTable
    facts: Sequence[Sequence[AssertedFact]]

    def find_needed(self, rule_indexes: Iterable[int]) -> list[AssertedFact]:
        """Return the facts that these rules take, in their order, each once."""
        numbers = dict.fromkeys(number for index in rule_indexes for number in self.table.all[index])
        needed = {int(fact["id"]): fact for number in numbers for fact in self.facts[number]}
        return [needed[position] for position in sorted(needed)]

    def can_fire(self, rule_index: int) -> bool:
        """Whether each pattern of `when` takes a fact."""
        return all(self.facts[number] for number in self.table.when[rule_index])

    def get_limit(self, rule_index: int) -> int:
        """Return how many combinations the rule may make of these facts."""
        taken = sum(len(self.facts[number]) for number in self.table.when[rule_index])
        return max(MIN_COMBINATIONS, COMBINATIONS_PER_FACT * taken)

    def count_combinations(self, rule_index: int, limit: int) -> int:
        """Count the combinations of facts that match the first one, two, ... patterns of the rule.

        Beyond the limit they are not counted to the end; the result is then only known to be greater.
        """
        groups = map(self._find_largest_group, self.table.rules[rule_index].when, self.table.when[rule_index])
        bound = sum(takewhile(bool, accumulate(groups, mul)))
        return bound if bound <= limit else self._enumerate_matches(rule_index, limit)

    def _find_largest_group(self, pattern: CompiledPattern, number: int) -> int:
        """Return how many facts of the pattern one combination can be joined to at most."""
        facts, fields = self.facts[number], pattern.join_fields
        if not fields or not facts:
            return len(facts)
        return max(Counter(tuple(fact[name] for name in fields) for fact in facts).values())

    def _enumerate_matches(self, rule_index: int, limit: int) -> int:
        combinations: list[tuple[AssertedFact, ...]] = [()]
        total = 0
        patterns = self.table.rules[rule_index].when
        for pattern, number in zip(patterns, self.table.when[rule_index], strict=True):
            index = _index_facts(self.facts[number], pattern.join_fields)
            extended: list[tuple[AssertedFact, ...]] = []
            for combination in combinations:
                key = tuple(combination[at].get(field, "") for _own, at, field in pattern.joins)
                matching = index.get(key, ())
                if total + len(extended) + len(matching) > limit:
                    return limit + 1
                extended += [(*combination, fact) for fact in matching]
            combinations = extended
            total += len(combinations)
        return total


def _index_facts(facts: Iterable[AssertedFact], fields: Sequence[str]) -> FactIndex:
    index: dict[tuple[str | int, ...], list[AssertedFact]] = defaultdict(list)
    for fact in facts:
        index[tuple(fact[name] for name in fields)].append(fact)
    return index


@dataclass(frozen=True)
class Excess:
    """A rule that would make more combinations of facts than the limit."""

    rule_index: int
    limit: int


def find_excesses(taken: TakenFacts, rule_indexes: Iterable[int]) -> list[Excess]:
    """Find the rules that cannot be run on these facts: alone, or the largest where all make too many."""
    excesses: list[Excess] = []
    counts: dict[int, int] = {}
    total_limit = MAX_COMBINATIONS_FACTOR * MIN_COMBINATIONS
    for index in rule_indexes:
        if len(taken.table.when[index]) == 1:
            # Combinations of one pattern grow with the facts alone.
            continue
        limit = taken.get_limit(index)
        total_limit = max(total_limit, MAX_COMBINATIONS_FACTOR * limit)
        counts[index] = taken.count_combinations(index, limit)
        if counts[index] > limit:
            excesses.append(Excess(index, limit))
            del counts[index]
    total = sum(counts.values())
    for index in sorted(counts, key=lambda index: (-counts[index], index)):
        if total <= total_limit:
            break
        total -= counts[index]
        excesses.append(Excess(index, counts[index] - 1))
    return excesses
