"""The nearest miss: held against the engine, and the examples that people will read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstcause.inference.engine import Inference
from firstcause.inference.language import PlacedRule, Rule
from firstcause.inference.near_misses import NearMiss, find_nearest_miss

if TYPE_CHECKING:
    from firstcause.core.model import Fact

FIELDS = ("a", "b")
VALUES: tuple[Any, ...] = ("x", "y", 1, 2, True)
values = st.sampled_from(VALUES)
tests = st.one_of(
    values,
    st.sampled_from([{"gt": 1}, {"lte": 1}, {"exists": False}, {"in": ["x", 2]}, {"matches": "x"}]),
)


def patterns(*earlier: str) -> st.SearchStrategy[dict[str, Any]]:
    joins = [f"${name}.{field}" for name in earlier for field in FIELDS]
    test = tests | st.sampled_from(joins) if joins else tests
    kinds = st.fixed_dictionaries(
        {"kind": st.sampled_from(("alert", "env")) if earlier else st.just("alert")}
    )
    return st.tuples(kinds, st.dictionaries(st.sampled_from(FIELDS), test)).map(lambda two: two[0] | two[1])


rules = st.fixed_dictionaries(
    {
        "id": st.just("rule"),
        "about": st.just("x"),
        "when": st.tuples(patterns(), patterns("one")).map(lambda two: {"one": two[0], "two": two[1]}),
        "unless": st.dictionaries(st.just("none"), patterns("one", "two"), max_size=1),
        "then": st.just([{"root_cause": {"of": "$one", "reason": "r"}}]),
    }
)
facts = st.lists(
    st.tuples(st.sampled_from(("alert", "env")), st.dictionaries(st.sampled_from(FIELDS), values)), max_size=5
).map(lambda drawn: [{"kind": kind, "id": f"fact {n}", **own} for n, (kind, own) in enumerate(drawn)])


@settings(max_examples=600, suppress_health_check=list(HealthCheck))
@given(rules, facts)
def test_nothing_fails_exactly_where_the_engine_fires(written: dict[str, Any], known: list[Fact]) -> None:
    placed = PlacedRule(Rule.model_validate(written), "x.yaml", 1)
    engine = Inference([placed])
    try:
        fires = bool(engine.evaluate(known))
    finally:
        engine.close()
    miss = find_nearest_miss(placed, known)
    assert (miss.failed_conditions == (), miss.distance == 0) == (fires, fires)


ALERTS: list[Fact] = [
    {"kind": "alert", "id": "1", "code": "DB_DOWN", "count": 3, "tenant": "acme"},
    {"kind": "alert", "id": "2", "code": "DB_DOWN", "count": 40, "tenant": "bolt"},
    {"kind": "alert", "id": "3", "code": "APP_DOWN", "count": 99, "tenant": "acme"},
    {"kind": "env", "id": "4", "name": "DB_URL", "present": True},
]


def nearest(when: dict[str, Any], unless: dict[str, Any] | None = None) -> NearMiss:
    written = {
        "id": "r",
        "about": "x",
        "when": when,
        "unless": unless or {},
        "then": [{"suppress": {"of": "$a", "reason": "r"}}],
    }
    return find_nearest_miss(PlacedRule(Rule.model_validate(written), "x.yaml", 1), ALERTS)


@pytest.mark.parametrize(
    ("when", "unless", "said"),
    [
        (
            {"a": {"kind": "alert", "code": "DB_DOWN", "count": {"gte": 50}}},
            {},
            ["when.a.count: wanted >= 50, got 40, 10 short"],
        ),
        (
            {"a": {"kind": "alert", "code": "DB_DOWN", "count": {"lt": 2}}},
            {},
            ["when.a.count: wanted < 2, got 3, 1 too much"],
        ),
        (
            {"a": {"kind": "alert"}, "e": {"kind": "env", "name": "DB_URL", "present": False}},
            {},
            ["when.e.present: wanted false, got true"],
        ),
        (
            {"a": {"kind": "alert", "code": "DB_DOWN", "service": {"exists": True}}},
            {},
            ["when.a.service: wanted any value, got nothing"],
        ),
        (
            {"a": {"kind": "alert", "count": 40}, "b": {"kind": "alert", "tenant": "$a.tenant"}},
            {},
            ["when.b.tenant: wanted $a.tenant (bolt), got acme"],
        ),
        (
            {"a": {"kind": "alert"}, "r": {"kind": "reading", "status": "DOWN"}},
            {},
            ["when.r: wanted reading with status DOWN, got no such fact"],
        ),
        (
            {"a": {"kind": "alert", "code": "APP_DOWN"}},
            {"b": {"kind": "alert", "tenant": "$a.tenant"}},
            ["unless.b: wanted none, got alert code DB_DOWN, count 3, tenant acme"],
        ),
        ({"a": {"kind": "alert", "code": {"in": ["X", "Y"], "matches": "_UP"}, "count": 3}}, {}, [
            "when.a.code: wanted one of X, Y, got DB_DOWN",
            "when.a.code: wanted /_UP/ in it, got DB_DOWN",
        ]),
    ],
)  # fmt: skip
def test_what_is_said_of_a_miss(when: dict[str, Any], unless: dict[str, Any], said: list[str]) -> None:
    assert [str(each) for each in nearest(when, unless).failed_conditions] == said
