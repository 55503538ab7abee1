"""Estimates from its text alone how many combinations of facts a rule makes on a bad day."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import TYPE_CHECKING

from firstcause.core.fact_kinds import FACT_KINDS
from firstcause.core.typed_fact import list_fields
from firstcause.inference.expansion import expand_rule
from firstcause.inference.language import Comparison, Condition, Pattern, Rule
from firstcause.inference.variables import parse_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ASSUMED_ALERTS = 1_000
"""Active alerts that the estimate assumes."""

MAX_ESTIMATED_COMBINATIONS = 200_000
"""Combinations at which a rule is refused: at so many alerts it would always run out."""

_FACTS_PER_ALERT = {"alert": 1.0, "edge": 1.0, "link": 1.0, "verdict": 2.0, "silence": 1.0, "tenant": 1.0}
"""How many facts of a kind an alert brings with it."""

_OTHER_FACTS = 100
"""Facts of any other kind, such as readings of probes."""

_SINGLE_KINDS = frozenset({"snapshot"})
"""Kinds with one fact at a time."""

_NAMES = 100
"""How many different values a field has that names something: a code, a service, a tenant."""

_MATCHED_SHARE = 0.1
"""The share of facts that a regular expression takes."""

_JOIN_FIELDS = {
    "edge": ("effect", "cause"),
    "link": ("effect", "cause"),
    "suspect": ("alert",),
    "silence": ("alert",),
    "verdict": ("of", "by"),
}
"""Fields that hold the `id` of an alert, by kind."""

_SHARED_FIELDS = ("component", "service", "probe", "code", "tenant", "name")
"""Fields that often join two facts, the best first."""


def estimate_combinations(rule: Rule) -> int:
    """Estimate how many combinations of facts match the first one, two, ... patterns, at `ASSUMED_ALERTS`."""
    plain_sizes = (list(_estimate_sizes(plain).values()) for plain in expand_rule(rule))
    return max(round(sum(prod(sizes[: at + 1]) for at in range(len(sizes)))) for sizes in plain_sizes)


def find_largest_pattern(rule: Rule) -> str:
    """Return the name of the fact, apart from the first, that multiplies the combinations most."""
    sizes = list(_estimate_sizes(rule).items())
    return max(sizes[1:] or sizes, key=lambda pair: pair[1])[0]


def suggest_join(rule: Rule) -> str:
    """Say which join would make the rule cheaper."""
    name = find_largest_pattern(rule)
    names = list(rule.when)
    earlier = names[: names.index(name)]
    join = next((found for other in earlier if (found := _find_join(rule, name, other))), None)
    if join is None:
        return f"narrow {name}, such as by its code"
    return f"join {name} to an earlier fact, such as `{join}`, or narrow it, such as by its code"


def _estimate_sizes(rule: Rule) -> dict[str, float]:
    """Estimate by how much each pattern of `when` multiplies the combinations."""
    return {name: _estimate_size(pattern) for name, pattern in rule.when.items()}


def _estimate_size(pattern: Pattern) -> float:
    if pattern.kind in _SINGLE_KINDS:
        return 1.0
    size = (
        ASSUMED_ALERTS * _FACTS_PER_ALERT[pattern.kind] if pattern.kind in _FACTS_PER_ALERT else _OTHER_FACTS
    )
    for field, test in pattern.root.items():
        if field == "kind":
            continue
        if field == "id" and isinstance(test, str):
            return 1.0
        size *= _estimate_share(pattern.kind, field, test)
    return max(1.0, size)


def _estimate_share(kind: str, field: str, test: Condition) -> float:
    """Estimate the share of facts of a kind that pass a test."""
    values = _count_values(kind).get(field, _NAMES)
    if isinstance(test, Comparison):
        share = min(1.0, len(test.in_) / values) if test.in_ else 1.0
        return share * _MATCHED_SHARE if test.matches is not None else share
    # A word such as a severity may be that of every fact; a join by it still takes only one of the words.
    is_name = values >= _NAMES
    return 1.0 / values if is_name or parse_reference(test) is not None else 1.0


@cache
def _count_values(kind: str) -> Mapping[str, int]:
    """Count the different values that a field may have, by field; for numbers and lists 1."""
    counts: dict[str, int] = {}
    for fact_class in FACT_KINDS:
        if fact_class.kind != kind:
            continue
        for info in list_fields(fact_class):
            if info.words is not None:
                counts[info.name] = len(info.words)
            elif info.types == (bool,):
                counts[info.name] = 2
            else:
                counts[info.name] = _NAMES if str in info.types else 1
    return counts


def _find_join(rule: Rule, name: str, other: str) -> str | None:
    """Find fields by which two facts of a rule can be joined."""
    kind, other_kind = rule.when[name].kind, rule.when[other].kind
    if kind == "alert" and other_kind in _JOIN_FIELDS:
        return f"id: ${other}.{_JOIN_FIELDS[other_kind][0]}"
    if other_kind == "alert" and kind in _JOIN_FIELDS:
        return f"{_JOIN_FIELDS[kind][0]}: ${other}.id"
    shared = _list_shared(kind, other_kind)
    return f"{shared[0]}: ${other}.{shared[0]}" if shared else None


def _list_shared(kind: str, other_kind: str) -> Sequence[str]:
    fields, other_fields = _count_values(kind), _count_values(other_kind)
    return [field for field in _SHARED_FIELDS if field in fields and field in other_fields]
