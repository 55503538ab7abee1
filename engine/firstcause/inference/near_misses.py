"""Why a rule did not fire: the facts that come nearest to what it looks for, and what they lack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstcause.inference.language import Comparison, Condition, Pattern, PlacedRule
from firstcause.inference.predicates import identity, predicate
from firstcause.inference.variables import reference, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firstcause.core.model import Fact, FactValue

_KEPT = 64
"""Beginnings of an answer that are followed further, the best ones."""

_LIMITS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True)
class Failed:
    """One condition that does not hold.

    where: "when" or "unless", the name of the pattern, the field; no field where there is no such fact
    at all, or where there is one that must not be. short: by how much a number misses its limit.
    """

    where: tuple[str, ...]
    wanted: str
    got: str
    short: float | None = None

    def __str__(self) -> str:
        way = "short" if self.wanted.startswith(">") else "too much"
        by = "" if self.short is None else f", {self.short:g} {way}"
        return f"{'.'.join(self.where)}: wanted {self.wanted}, got {self.got}{by}"


@dataclass(frozen=True)
class Miss:
    """The facts that come nearest, by their names in the rule, and what fails; nothing where it fires.

    distance: 0 where it fires; a condition more always counts more than a number that is further off.
    """

    rule: PlacedRule
    facts: Mapping[str, Fact]
    failed: tuple[Failed, ...]
    distance: float


@dataclass(frozen=True)
class _Partial:
    found: Mapping[str, Fact] = field(default_factory=dict)
    failed: tuple[Failed, ...] = ()
    cost: float = 0.0


def nearest_miss(placed: PlacedRule, facts: Sequence[Fact]) -> Miss:
    """The best assignment of facts to the names of the rule; of equal ones that of the earlier facts."""
    partials = [_Partial()]
    for name, pattern in placed.rule.when.items():
        partials = sorted(
            (each for partial in partials for each in _with(partial, name, pattern, facts)),
            key=lambda each: each.cost,
        )[:_KEPT]
    best = min((_without(each, placed, facts) for each in partials), key=lambda each: each.cost)
    return Miss(placed, best.found, best.failed, best.cost)


def _with(partial: _Partial, name: str, pattern: Pattern, facts: Sequence[Fact]) -> Iterator[_Partial]:
    """The partial answer with each fact that the pattern could mean, and with none."""
    taken = {fact["id"] for fact in partial.found.values()}
    for fact in facts:
        if fact["kind"] != pattern.kind or fact["id"] in taken:
            continue
        failed = tuple(_failures(pattern, fact, partial.found, ("when", name)))
        cost = sum(1.0 + _share(each) for each in failed)
        yield _Partial({**partial.found, name: fact}, partial.failed + failed, partial.cost + cost)
    none = Failed(("when", name), _pattern_text(pattern), "no such fact")
    yield _Partial(partial.found, (*partial.failed, none), partial.cost + 1.5 + len(pattern.root))


def _without(partial: _Partial, placed: PlacedRule, facts: Sequence[Fact]) -> _Partial:
    """The answer with what must not be there and is."""
    taken = {fact["id"] for fact in partial.found.values()}
    there = tuple(
        Failed(("unless", name), "none", _fact_text(fact))
        for name, pattern in placed.rule.unless.items()
        for fact in facts
        if fact["kind"] == pattern.kind
        and fact["id"] not in taken
        and not list(_failures(pattern, fact, partial.found, ()))
    )
    return _Partial(partial.found, partial.failed + there, partial.cost + len(there))


def _failures(
    pattern: Pattern, fact: Fact, found: Mapping[str, Fact], where: tuple[str, ...]
) -> Iterator[Failed]:
    for name, test in pattern.root.items():
        if name == "kind":
            continue
        value, place = fact.get(name), (*where, name)
        if joined := reference(test):
            theirs = found.get(joined[0], {}).get(joined[1])
            if identity(value) is None or identity(value) != identity(theirs):
                yield Failed(place, f"{test} ({_got(theirs)})", _got(value))
        elif isinstance(test, Comparison):
            yield from _unfulfilled(test, value, place)
        elif identity(value) != identity(test):
            yield Failed(place, shown(test), _got(value))


def _unfulfilled(test: Comparison, value: FactValue, place: tuple[str, ...]) -> Iterator[Failed]:
    """Each part of a comparison by itself."""
    for word in sorted(test.given):
        part = Comparison.model_validate({"in" if word == "in_" else word: getattr(test, word)})
        if predicate(part)(value):
            continue
        limit = getattr(test, word)
        number = word in _LIMITS and isinstance(value, int | float) and not isinstance(value, bool)
        yield Failed(place, condition_text(part), _got(value), abs(limit - value) if number else None)


def _got(value: FactValue) -> str:
    return "nothing" if value is None else shown(value)


def _share(failed: Failed) -> float:
    """Nearer numbers are nearer misses: below 1, so that a condition more always weighs more."""
    return 0.95 if failed.short is None else 0.9 * failed.short / (1.0 + failed.short)


def condition_text(test: Condition) -> str:
    """A condition in words: `> 5`, `one of a, b`."""
    if not isinstance(test, Comparison):
        return shown(test)
    parts = [f"{sign} {getattr(test, word):g}" for word, sign in _LIMITS.items() if word in test.given]
    if test.in_ is not None:
        parts.append(f"one of {', '.join(map(shown, test.in_))}")
    if test.matches is not None:
        parts.append(f"/{test.matches}/ in it")
    if test.exists is not None:
        parts.append("any value" if test.exists else "no value")
    return " and ".join(parts)


def _pattern_text(pattern: Pattern) -> str:
    tests = [f"{name} {condition_text(test)}" for name, test in pattern.root.items() if name != "kind"]
    return f"{pattern.kind} with {', '.join(tests)}" if tests else pattern.kind


def _fact_text(fact: Fact) -> str:
    parts = [f"{name} {shown(value)}" for name, value in fact.items() if name not in {"kind", "id"}]
    return f"{fact['kind']} {', '.join(parts[:4])}"
