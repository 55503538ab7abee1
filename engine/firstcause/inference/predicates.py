"""Tests of one field that are decided in Python, because durable-rules cannot do them safely."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from firstcause.core.model import FactValue
from firstcause.inference.patterns import compile_pattern

if TYPE_CHECKING:
    from firstcause.inference.language import Comparison

_COMPARE = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}

Predicate = Callable[[FactValue], bool]


def equality_key(value: FactValue) -> Hashable | None:
    """Return a key that two values share exactly if users call them equal: true is not 1, and 2 is 2.0.

    None for a value that equals nothing: no value, a list, not-a-number.
    """
    if isinstance(value, bool | str):
        return type(value).__name__, value
    if isinstance(value, int | float) and value == value:  # noqa: PLR0124 - false for not-a-number alone
        return "number", value
    return None


def compile_predicate(test: Comparison) -> Predicate:
    """Compile all parts of a test that need no other fact (see `Comparison.fixed`).

    A field without a value passes only `exists: false`.
    """
    tests = list(_compile_parts(test))
    return lambda value: all(holds(value) for holds in tests)


def _compile_parts(test: Comparison) -> list[Predicate]:
    predicates = [_compile_ordering(_COMPARE[name], limit) for name, limit in test.limits.items()]
    if test.in_ is not None:
        allowed = {equality_key(option) for option in test.in_} - {None}
        predicates.append(lambda value: equality_key(value) in allowed)
    refused = (*(test.not_in or ()), *(() if test.not_ is None else (test.not_,)))
    if refused:
        refused_keys = {None, *map(equality_key, refused)}
        predicates.append(lambda value: equality_key(value) not in refused_keys)
    if test.matches is not None:
        pattern = compile_pattern(test.matches)
        predicates.append(lambda value: isinstance(value, str) and pattern.occurs_in(value))
    if test.exists is not None:
        must_exist = test.exists
        predicates.append(lambda value: (value is not None) is must_exist)
    return predicates


def _compile_ordering(compare: Callable[[float, float], bool], limit: float) -> Predicate:
    def holds(value: FactValue) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and compare(value, limit)

    return holds
