"""Random rules and facts, and a matcher that is plainly right, to compare the rule engine with."""

from __future__ import annotations

import itertools
import operator
import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firstcause.core.model import Fact

KINDS = ("alert", "edge", "env")
FIELDS = ("a", "b", "c")
VALUES: tuple[Any, ...] = (
    "x",
    "xy",
    "",
    "1",
    "$",
    "q\"uo'te\\",
    "é\u2603",
    0,
    1,
    -1,
    1.0,
    1.5,
    2,
    10**12,
    True,
    False,
)
LIMITS = (-1, 0, 1, 1.5, 2)
COMPARED: dict[str, Any] = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
PATTERNS = ("x", "^x$", "Y", "1|q", ".")

values = st.sampled_from(VALUES)
facts = st.lists(
    st.builds(
        lambda kind, fields: {
            "kind": kind,
            **{name: value for name, value in fields.items() if value is not None},
        },
        st.sampled_from(KINDS),
        st.fixed_dictionaries({name: st.none() | values for name in FIELDS}),
    ),
    max_size=7,
).map(lambda found: [{**fact, "id": f"fact {number}"} for number, fact in enumerate(found)])

comparisons = st.one_of(
    st.sampled_from(LIMITS).map(lambda limit: {"gt": limit}),
    st.sampled_from(LIMITS).map(lambda limit: {"lte": limit}),
    st.tuples(st.sampled_from(LIMITS), st.sampled_from(LIMITS)).map(
        lambda two: {"gte": two[0], "lt": two[1]}
    ),
    st.lists(values, min_size=1, max_size=3).map(
        lambda several: {"in": [v for v in several if v != "$"] or ["x"]}
    ),
    st.sampled_from(PATTERNS).map(lambda pattern: {"matches": pattern}),
    st.booleans().map(lambda wanted: {"exists": wanted}),
    st.just({"exists": True, "in": ["x", 1]}),
    values.filter(lambda value: value != "$").map(lambda refused: {"not": refused}),
    st.lists(values.filter(lambda value: value != "$"), min_size=1, max_size=3).map(
        lambda several: {"not_in": several}
    ),
)


def draw_relation(earlier: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """A comparison with a field of an earlier fact, with another test beside it or not."""
    reference = st.tuples(st.sampled_from(earlier), st.sampled_from(FIELDS)).map(
        lambda two: f"${two[0]}.{two[1]}"
    )
    scaled = st.builds(
        lambda of, times, plus: {"of": of, "times": times, "plus": plus},
        reference,
        st.sampled_from((-1, 0, 0.5, 1, 2)),
        st.sampled_from((-1, 0, 1.5)),
    )
    return st.one_of(
        st.builds(lambda word, limit: {word: limit}, st.sampled_from(sorted(COMPARED)), reference | scaled),
        reference.map(lambda refused: {"not": refused}),
        st.builds(lambda limit, low: {"lt": limit, "gte": low}, reference | scaled, st.sampled_from(LIMITS)),
    )


@st.composite
def patterns(
    draw: st.DrawFn, earlier: tuple[str, ...], kind: str | None = None, *, nested: bool = False
) -> dict[str, Any]:
    tests: dict[str, Any] = {"kind": kind or draw(st.sampled_from(KINDS))}
    for name in draw(st.lists(st.sampled_from(FIELDS), unique=True, max_size=3)):
        choices = [values.filter(lambda value: value != "$"), comparisons]
        if earlier:
            choices.append(
                st.tuples(st.sampled_from(earlier), st.sampled_from((*FIELDS, "id"))).map(
                    lambda two: f"${two[0]}.{two[1]}"
                )
            )
            choices.append(draw_relation(earlier))
        tests[name] = draw(st.one_of(choices))
    if not nested and draw(st.integers(0, 5)) == 0:
        count = draw(st.integers(1, 2))
        options = [draw(patterns(earlier, tests["kind"], nested=True)) for _ in range(count)]
        tests["any"] = [{name: test for name, test in option.items() if name != "kind"} for option in options]
    return tests


@st.composite
def rules(draw: st.DrawFn, number: int) -> dict[str, Any]:
    names = ("one", "two", "three")[: draw(st.integers(1, 3))]
    when = {name: draw(patterns(names[:at], "alert" if at == 0 else None)) for at, name in enumerate(names)}
    unless = {f"not{at}": draw(patterns(names)) for at in range(draw(st.integers(0, 2)))}
    reason = " ".join(f"{{{name}.id}}" for name in names)
    return {
        "id": f"rule-{number}",
        "about": "x",
        "when": when,
        "unless": unless,
        "then": [{"root_cause": {"of": "$one", "reason": reason}}],
    }


rule_sets = st.integers(1, 4).flatmap(lambda count: st.tuples(*(rules(number) for number in range(count))))


def same(left: Any, right: Any) -> bool:
    return left is not None and isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def fulfilled(test: Any, value: Any, named: dict[str, Fact]) -> bool:
    if isinstance(test, str) and test.startswith("$"):
        name, _, its_field = test[1:].partition(".")
        return same(value, named[name].get(its_field))
    if not isinstance(test, dict):
        return same(value, test)
    return all(_holds(word, limit, value, named) for word, limit in test.items())


def _holds(word: str, limit: Any, value: Any, named: dict[str, Fact]) -> bool:  # noqa: PLR0911 - one line a form
    if isinstance(limit, str) and limit.startswith("$") and "." in limit:
        limit = {"of": limit}
    if isinstance(limit, dict):
        name, _, its_field = limit["of"][1:].partition(".")
        other = named[name].get(its_field)
        if word == "not":
            return value is not None and other is not None and not same(value, other)
        if not isinstance(other, int | float) or isinstance(other, bool):
            return False
        limit = other * limit.get("times", 1) + limit.get("plus", 0)
    if word == "not":
        return value is not None and not same(value, limit)
    if word == "not_in":
        return value is not None and not any(same(value, option) for option in limit)
    if word in COMPARED:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and COMPARED[word](value, limit)
    if word == "in":
        return any(same(value, each) for each in limit)
    if word == "matches":
        return isinstance(value, str) and re.search(limit, value, re.IGNORECASE | re.DOTALL) is not None
    return (value is not None) is limit


def fits(pattern: dict[str, Any], fact: Fact, named: dict[str, Fact]) -> bool:
    if "any" in pattern:
        common = {name: test for name, test in pattern.items() if name != "any"}
        return any(fits({**common, **option}, fact, named) for option in pattern["any"])
    return all(
        fact["kind"] == test if name == "kind" else fulfilled(test, fact.get(name), named)
        for name, test in pattern.items()
    )


def brute_force(rule: dict[str, Any], known: list[Fact]) -> Iterator[tuple[str, str]]:
    """(rule, the ids of the facts in the order of `when`). The names of a rule are different facts."""
    for combination in itertools.permutations(known, len(rule["when"])):
        named = dict(zip(rule["when"], combination, strict=True))
        others = [fact for fact in known if fact not in combination]
        if all(fits(pattern, named[name], named) for name, pattern in rule["when"].items()) and not any(
            fits(pattern, fact, named) for pattern in rule["unless"].values() for fact in others
        ):
            yield rule["id"], " ".join(str(fact["id"]) for fact in combination)
