"""Who may be the root: kinds of signal, places in the graph, time, what is known besides; and storms."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstcause.core.model import Severity
from firstcause.core.root_cause.clustering import enough_callers_fail, find_roots, split_storms
from firstcause.core.root_cause.graphs import ComponentGraph
from firstcause.core.root_cause.ranking import (
    Evidence,
    Prior,
    Suspect,
    Weights,
    compute_strength,
    diagnose,
    entry_point_signals,
)
from firstcause.core.root_cause.signals import Signal, Signals

RESOURCE = Signal(name="resource", about="x", own=0.9, chance=0.02)
LATENCY = Signal(name="latency", about="x", own=0.7, callers=0.5)
ERRORS = Signal(name="errors", about="x", own=0.7, callers=0.5)
TRAFFIC = Signal(name="traffic", about="x", own=0.2, callers=0.2, callees=0.5, siblings=0.3)
KINDS = {signal.name: signal for signal in (RESOURCE, LATENCY, ERRORS, TRAFFIC)}
SHOP = ComponentGraph({"web": ["cart", "search"], "cart": ["stock", "prices"], "search": ["index"]})
WEIGHTS = Weights()


def seen(
    component: str, signal: Signal, at: float = 0, strong: float = 0.9, *, known: bool = False
) -> Evidence:
    return Evidence(component, signal, strong, at, signal.name.upper(), known)


def ranked(
    *evidence: Evidence, graph: ComponentGraph = SHOP, priors: tuple[Prior, ...] = ()
) -> list[Suspect]:
    return diagnose(graph, evidence, WEIGHTS, entry_point_signals(graph, evidence), priors)


def first(*evidence: Evidence, graph: ComponentGraph = SHOP) -> str:
    return ranked(*evidence, graph=graph)[0].component


def test_symptoms_travel_up_so_the_lowest_that_shows_them_is_likeliest() -> None:
    assert first(seen("web", LATENCY), seen("cart", LATENCY), seen("stock", LATENCY)) == "stock"


def test_a_sign_of_a_cause_weighs_more_than_a_lower_place() -> None:
    assert first(seen("cart", RESOURCE), seen("cart", LATENCY), seen("stock", LATENCY, strong=0.4)) == "cart"


def test_a_lack_of_traffic_below_points_up() -> None:
    missing = [seen(name, TRAFFIC) for name in ("stock", "prices")]
    assert first(*missing, seen("cart", ERRORS)) == "cart"


def test_a_common_callee_that_says_nothing_is_named_with_the_count() -> None:
    graph = ComponentGraph({name: ["pay"] for name in ("a", "b", "c", "d", "e")})
    best = ranked(*(seen(name, ERRORS) for name in "abcde"), graph=graph)[0]
    assert (best.component, best.silent, best.callers_failing, best.callers) == ("pay", True, 5, 5)
    assert best.because == ["no alert from it; 5 of its 5 callers have errors"]
    assert enough_callers_fail(best, WEIGHTS)
    some = ranked(*(seen(name, ERRORS) for name in "ab"), graph=graph)
    assert not any(enough_callers_fail(suspect, WEIGHTS) for suspect in some)


def test_grounds_say_what_speaks_for_and_against() -> None:
    evidence = [seen("web", ERRORS), seen("search", ERRORS)]
    suspects = {suspect.component: suspect for suspect in ranked(*evidence)}
    assert suspects["search"].because == ["its own errors: ERRORS", "errors at 1 of its callers: web"]
    assert suspects["index"].against == ["no alert from it"]
    assert sum(suspect.confidence for suspect in suspects.values()) == pytest.approx(1)
    assert all(
        suspect.score == pytest.approx(sum(ground.weight for ground in suspect.terms))
        for suspect in suspects.values()
    )


def test_what_is_known_besides_tips_the_balance() -> None:
    alike = [seen("stock", LATENCY), seen("prices", LATENCY), seen("cart", LATENCY)]
    assert ranked(*alike)[0].component == "prices"
    deployed = Prior("stock", WEIGHTS.changed, "it was deployed not long ago")
    best = ranked(*alike, priors=(deployed,))[0]
    assert best.component == "stock"
    assert "it was deployed not long ago" in best.because


def test_more_of_the_same_at_one_place_says_nothing_new() -> None:
    once = ranked(seen("stock", LATENCY), seen("search", ERRORS))
    often = ranked(*[seen("stock", LATENCY)] * 20, seen("search", ERRORS))
    assert [(suspect.component, suspect.score) for suspect in once] == [
        (suspect.component, suspect.score) for suspect in often
    ]


def test_evidence_from_long_before_counts_less() -> None:
    def score(at: float) -> float:
        return next(
            suspect.score
            for suspect in ranked(seen("stock", ERRORS), seen("cart", ERRORS, at))
            if suspect.component == "stock"
        )

    assert score(-600) < score(-30) == score(600)


def test_users_feel_latency_so_errors_elsewhere_count_less() -> None:
    evidence = [seen("web", LATENCY), seen("index", ERRORS), seen("search", ERRORS), seen("stock", LATENCY)]
    assert entry_point_signals(SHOP, evidence) == {"latency"}
    assert first(*evidence) == "stock"


def test_a_circle_of_calls_is_no_trouble() -> None:
    graph = ComponentGraph({"a": ["b"], "b": ["c"], "c": ["a", "a"]})
    assert first(seen("a", ERRORS), seen("b", ERRORS), seen("c", RESOURCE), graph=graph) == "c"


@pytest.mark.parametrize(
    ("count", "score", "severity", "more"),
    [
        (1, None, Severity.WARNING, (3, None, Severity.WARNING)),
        (3, 1.0, Severity.INFO, (3, 9.0, Severity.INFO)),
        (3, None, Severity.INFO, (3, None, Severity.CRITICAL)),
        (1, 5.0, Severity.INFO, (2, 5.0, Severity.INFO)),
    ],
)
def test_strength_grows_with_what_speaks_for_it(
    count: int, score: float | None, severity: Severity, more: tuple[int, float | None, Severity]
) -> None:
    assert 0 < compute_strength(count, score, severity, WEIGHTS) < compute_strength(*more, WEIGHTS) < 1


def test_signals_are_found_by_words_and_what_fits_none_is_the_one_without_patterns() -> None:
    slow = Signal(name="slow", about="x", match=("took",), own=0.5)
    rest = Signal(name="rest", about="x", own=0.5)
    signals = Signals([slow, rest], lambda words: "slow" if "it took" in words else None)
    assert signals.classify("IT_took 3 s") is rest
    assert signals.classify("it_took 3 s") is slow
    assert Signals([slow]).classify("anything") is None


# Storms


def test_two_causes_with_signs_of_their_own_are_two_and_symptoms_go_to_theirs() -> None:
    evidence = [
        seen("stock", RESOURCE), seen("cart", LATENCY, 5), seen("index", RESOURCE), seen("search", ERRORS, 5),
    ]  # fmt: skip
    one, two = find_roots(SHOP, evidence, WEIGHTS)
    assert {one.root.component: one.explained, two.root.component: two.explained} == {
        "stock": {0, 1},
        "index": {2, 3},
    }


def test_what_nothing_explains_stays_beside_the_first_unless_the_catalog_knows_it() -> None:
    noise = seen("prices", ERRORS, strong=0.2)
    evidence = [seen("index", RESOURCE), seen("search", ERRORS), noise]
    (one,) = find_roots(SHOP, evidence, WEIGHTS)
    assert (one.root.component, one.coincident) == ("index", {2})
    known = [*evidence[:2], seen("prices", ERRORS, known=True)]
    assert {finding.root.component for finding in find_roots(SHOP, known, WEIGHTS)} == {"index", "prices"}


def test_far_in_time_or_in_the_graph_is_another_storm() -> None:
    graph = ComponentGraph({"a": ["b"], "x": ["y"]})
    evidence = [seen("a", ERRORS), seen("b", ERRORS, 10), seen("x", ERRORS), seen("a", LATENCY, 7200)]
    assert sorted(split_storms(graph, evidence, WEIGHTS)) == [[0, 1], [2], [3]]


NAMES = ("web", "cart", "search", "stock", "prices", "index")
EVIDENCE = st.lists(
    st.builds(
        seen,
        st.sampled_from(NAMES),
        st.sampled_from(list(KINDS.values())),
        st.floats(0, 60),
        st.floats(0.05, 1),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=200)
@given(evidence=EVIDENCE, seed=st.integers())
def test_the_order_in_which_alerts_arrive_changes_nothing(evidence: list[Evidence], seed: int) -> None:
    shuffled = random.Random(seed).sample(evidence, len(evidence))
    roots = [(suspect.component, suspect.score) for suspect in ranked(*evidence)]
    assert roots == [(suspect.component, suspect.score) for suspect in ranked(*shuffled)]
    sides = [
        [
            (one.root.component, sorted(given[n].label for n in one.explained))
            for one in find_roots(SHOP, given, WEIGHTS)
        ]
        for given in (evidence, shuffled)
    ]
    assert sides[0] == sides[1]


@settings(max_examples=200)
@given(evidence=EVIDENCE, signal=st.sampled_from(list(KINDS.values())), at=st.floats(0, 60))
def test_an_alert_of_another_part_of_the_world_changes_nothing(
    evidence: list[Evidence], signal: Signal, at: float
) -> None:
    graph = ComponentGraph(
        {"web": ["cart", "search"], "cart": ["stock", "prices"], "search": ["index"], "mill": ["river"]}
    )
    before = [finding.root.component for finding in find_roots(graph, evidence, WEIGHTS)]
    after = find_roots(graph, [*evidence, seen("river", signal, at)], WEIGHTS)
    assert before == [
        finding.root.component for finding in after if finding.root.component not in {"river", "mill"}
    ]


@settings(max_examples=200)
@given(evidence=EVIDENCE)
def test_every_alert_belongs_to_one_root(evidence: list[Evidence]) -> None:
    findings = find_roots(SHOP, evidence, WEIGHTS)
    places = [number for finding in findings for number in (*finding.explained, *finding.coincident)]
    assert sorted(places) == list(range(len(evidence)))
