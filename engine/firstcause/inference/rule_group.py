"""Runs up to some hundred rules at once, with the facts that they take and within bounds."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING

from firstcause.inference.compiler import GATE_FACT
from firstcause.inference.durable_engine import EngineLimitError, RuleSet
from firstcause.inference.match_bounds import Excess, PatternTable, find_excesses

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from firstcause.inference.compiler import AssertedFact, CompiledRule
    from firstcause.inference.durable_engine import Match

log = logging.getLogger("firstcause.inference")


class RuleGroup:
    """Compiled rules by their index. Not for use by several threads at once."""

    def __init__(self, rules: Mapping[int, CompiledRule]) -> None:
        self._rules = rules
        self._table = PatternTable(rules)
        self._full_set = RuleSet(self._define_rules(()))
        self._reduced: tuple[frozenset[int], RuleSet] | None = None
        self._halves: tuple[RuleGroup, ...] = ()

    def run(
        self, facts: Sequence[AssertedFact], switched_off: Collection[int]
    ) -> tuple[list[Match], list[Excess]]:
        """Return all matches, and the rules that were left out because they would make too many.

        switched_off: indexes of rules to leave out.
        """
        if self._halves:
            return self._run_halves(facts, switched_off)
        taken = self._table.take(facts)
        running = [index for index in self._rules if index not in switched_off]
        # A rule that cannot fire makes combinations, too, of the facts that others need.
        excesses = find_excesses(taken, running)
        left_out = self._rules.keys() - running | {excess.rule_index for excess in excesses}
        firing = [index for index in running if taken.can_fire(index)]
        excesses = [excess for excess in excesses if excess.rule_index in firing]
        needed = taken.find_needed(index for index in firing if index not in left_out)
        if not needed:
            return [], excesses
        try:
            return self._select_set(frozenset(left_out)).run([*needed, dict(GATE_FACT)]), excesses
        except EngineLimitError as error:
            # `rule_sets` keeps rules below the limits that were measured. Should there be another
            # one, half of the rules stay below it: a rule must never stop the others, or triage.
            if not self._halve(error):
                return [], [*excesses, *(Excess(index, 0) for index in self._rules)]
            return self._run_halves(facts, switched_off)

    def _halve(self, error: EngineLimitError) -> bool:
        """Replace this group by two of half its rules; False where it has one rule."""
        if len(self._rules) == 1:
            return False
        log.warning("rules: %s; the set of %d rules is halved", error, len(self._rules))
        middle = len(self._rules) // 2
        self._halves = (
            RuleGroup(dict(islice(self._rules.items(), middle))),
            RuleGroup(dict(islice(self._rules.items(), middle, None))),
        )
        return True

    def _run_halves(
        self, facts: Sequence[AssertedFact], switched_off: Collection[int]
    ) -> tuple[list[Match], list[Excess]]:
        results = [half.run(facts, switched_off) for half in self._halves]
        return [match for matches, _ in results for match in matches], [
            excess for _, excesses in results for excess in excesses
        ]

    def _select_set(self, left_out: frozenset[int]) -> RuleSet:
        if not left_out:
            return self._full_set
        if self._reduced is None or self._reduced[0] != left_out:
            self._close_reduced()
            self._reduced = left_out, RuleSet(self._define_rules(left_out))
        return self._reduced[1]

    def _define_rules(self, left_out: Collection[int]) -> dict[str, dict[str, object]]:
        return {str(index): rule.definition for index, rule in self._rules.items() if index not in left_out}

    def _close_reduced(self) -> None:
        if self._reduced is not None:
            self._reduced[1].close()
            self._reduced = None

    def close(self) -> None:
        """Free the memory. The group cannot be run afterwards."""
        self._close_reduced()
        self._full_set.close()
        for half in self._halves:
            half.close()
