from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.model import Alert, Severity, Verdict
from firstcause.core.root_cause.attribution import (
    MAX_CAUSES_PER_EFFECT,
    choose_causes,
    find_candidates,
    in_scope,
    root_of,
)
from firstcause.core.root_cause.graphs import CauseGraph

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GRAPH = CauseGraph({"NET": ["DB"], "DB": ["APP"], "APP": ["PAGE"]})


def alert(code: str, tenant: str | None = None) -> Alert:
    return Alert.model_validate(
        {
            "fingerprint": f"{code}/{tenant}", "fault": code, "code": code, "catalogued": True, "title": code,
            "severity": "CRITICAL", "first_seen": NOW, "last_seen": NOW, "count": 1, "tenant": tenant,
        }
    )  # fmt: skip


def verdict(of: str, by: str | None, *, confidence: float = 0.8, priority: int = 0) -> Verdict:
    kind = "cascade" if by else "root_cause"
    return Verdict.model_validate(
        {
            "rule": "r", "file": "f", "line": 1, "verdict": kind, "of": of, "by": by, "because": "so",
            "confidence": confidence, "priority": priority,
        }
    )  # fmt: skip


def test_hops_count_over_several_steps() -> None:
    assert GRAPH.find_causes("PAGE") == {"APP": 1, "DB": 2, "NET": 3}
    assert GRAPH.find_causes("NET") == {}


def test_the_nearest_active_cause_is_best_and_gaps_are_bridged() -> None:
    candidates = find_candidates([alert("PAGE"), alert("NET"), alert("DB")], GRAPH)
    best = {(candidate.effect.code, candidate.cause.code) for candidate in candidates if candidate.is_best}
    assert best == {("PAGE", "DB"), ("DB", "NET")}
    assert {(candidate.effect.code, candidate.cause.code) for candidate in candidates} == best | {
        ("PAGE", "NET")
    }


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["NET", "DB", "APP", "PAGE"]),
            st.sampled_from([None, "acme", "globex"]),
            st.sampled_from(["CRITICAL", "WARNING"]),
            st.integers(0, 3),
        ),
        max_size=40,
    )
)
def test_the_best_cause_is_the_one_that_a_search_of_all_pairs_finds(
    rows: list[tuple[str, str | None, str, int]],
) -> None:
    visible = [
        alert(code, tenant).model_copy(
            update={
                "fingerprint": str(number),
                "severity": Severity(severity),
                "first_seen": NOW + timedelta(seconds=second),
            }
        )
        for number, (code, tenant, severity, second) in enumerate(rows)
    ]
    candidates = find_candidates(visible, GRAPH)
    pairs = {(each.effect.fingerprint, each.cause.fingerprint) for each in candidates}
    for effect in visible:
        hops = GRAPH.find_causes(effect.code)
        causes = sorted(
            (hops[cause.code], cause.tenant != effect.tenant, -cause.severity.rank, cause.first_seen, number)
            for number, cause in enumerate(visible)
            if cause.code in hops and in_scope(cause, effect)
        )
        # Numbers are compared as texts in fingerprints, so only what decides before them is compared.
        best = [each for each in candidates if each.effect is effect and each.is_best]
        assert len(best) == min(1, len(causes))
        for each in best:
            key = (
                each.hops,
                each.cause.tenant != effect.tenant,
                -each.cause.severity.rank,
                each.cause.first_seen,
            )
            assert key == causes[0][:4]
        found = [other for name, other in pairs if name == effect.fingerprint]
        assert len(found) == min(len(causes), MAX_CAUSES_PER_EFFECT)


def test_pairs_that_no_rule_takes_are_not_made() -> None:
    visible = [alert("PAGE"), alert("NET"), alert("DB")]
    only_best = find_candidates(visible, GRAPH, lambda _kind, known: known["best"] is True)
    assert {(each.effect.code, each.cause.code) for each in only_best} == {("PAGE", "DB"), ("DB", "NET")}
    by_code = find_candidates(visible, GRAPH, lambda _kind, known: known["cause_code"] == "NET")
    assert {(each.effect.code, each.cause.code) for each in by_code} == {("PAGE", "NET"), ("DB", "NET")}


def test_a_tenants_error_causes_one_of_the_platform_only_where_the_rule_says_so() -> None:
    alerts = {each.fingerprint: each for each in (alert("DB", "acme"), alert("APP"), alert("APP", "globex"))}
    for effect, expected in (("APP/None", "DB/acme"), ("APP/globex", None)):
        said = verdict(effect, "DB/acme")
        assert choose_causes(alerts, {effect: [said]})[effect] is None
        across = said.model_copy(update={"across_tenants": True})
        assert choose_causes(alerts, {effect: [across]})[effect] == expected


def test_a_platform_cause_reaches_tenants_and_a_tenants_cause_only_its_own() -> None:
    assert in_scope(alert("DB"), alert("APP", "acme"))
    assert in_scope(alert("DB", "acme"), alert("APP", "acme"))
    assert not in_scope(alert("DB", "acme"), alert("APP", "globex"))
    assert not in_scope(alert("DB", "acme"), alert("APP"))


def test_a_rule_of_higher_priority_wins_then_the_more_confident() -> None:
    alerts = {each.fingerprint: each for each in (alert("DB"), alert("APP"))}
    effect, cause = "APP/None", "DB/None"
    assert choose_causes(alerts, {effect: [verdict(effect, cause)]})[effect] == cause
    sure = verdict(effect, None, confidence=0.95)
    assert choose_causes(alerts, {effect: [verdict(effect, cause), sure]})[effect] is None
    wanted = verdict(effect, cause, priority=1)
    assert choose_causes(alerts, {effect: [wanted, sure]})[effect] == cause


def test_a_verdict_that_blames_another_tenant_is_not_followed() -> None:
    alerts = {each.fingerprint: each for each in (alert("DB", "acme"), alert("APP", "globex"))}
    said = {"APP/globex": [verdict("APP/globex", "DB/acme")]}
    assert choose_causes(alerts, said)["APP/globex"] is None


@given(st.dictionaries(st.integers(0, 7), st.integers(0, 7), max_size=8))
def test_whatever_rules_say_every_chain_has_an_end(blame: dict[int, int]) -> None:
    alerts = {f"{number}/None": alert(str(number)) for number in range(8)}
    said = {f"{of}/None": [verdict(f"{of}/None", f"{by}/None")] for of, by in blame.items()}
    chosen = choose_causes(alerts, said)
    assert all(chosen[root_of(name, chosen)] is None for name in alerts)
