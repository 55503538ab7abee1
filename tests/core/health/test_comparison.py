from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.health.comparison import (
    Difference,
    assess,
    comparison_details,
    difference_facts,
    find_differences,
    with_first_seen,
)
from firstcause.core.health.snapshot import ErrorSummary, ProbeObservation, Snapshot
from firstcause.core.incidents.change_ranking import ChangeWeights, rank_changes, select_candidates
from firstcause.core.model import RaisedError, Severity, Verdict, VerdictKind

if TYPE_CHECKING:
    from firstcause.core.fact_kinds import DifferenceCategory

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GOOD = ("7", NOW - timedelta(minutes=90))


def taken(**fields: object) -> Snapshot:
    return Snapshot.model_validate({"taken_at": NOW, **fields})


def seen(status: str = "UP", component: str = "redis", **fields: object) -> ProbeObservation:
    return ProbeObservation.model_validate({"status": status, "component": component, **fields})


def said(
    key: str, severity: Severity = Severity.WARNING, rollback: str | None = None, priority: int = 0
) -> Verdict:
    return Verdict(
        rule="r",
        file="f",
        line=1,
        verdict=VerdictKind.REGRESSION,
        of=f"difference:{key}",
        because=f"{key} is worse",
        priority=priority,
        raises=RaisedError(code="WORSE", severity=severity, rollback=rollback),
    )


def test_each_of_the_kinds_of_difference() -> None:
    before = taken(
        infrastructure={
            "redis": seen(latency_ms=2, data={"version": "6.2", "memory_share": 0.5}),
            "companies": seen(component="companies", data={"company_count": 40}),
            "gone": seen(),
        },
        configuration={"REDIS_URL": "present", "API_KEY": "aaaaaaaaaaaa"},
        errors=ErrorSummary(seconds=300, warning=5),
    )
    after = taken(
        infrastructure={
            "redis": seen("DEGRADED", latency_ms=9, data={"version": "7.0", "memory_share": 0.52}),
            "companies": seen(component="companies", data={"company_count": 0}),
            "fresh": seen("DOWN"),
        },
        configuration={"REDIS_URL": "absent", "API_KEY": "bbbbbbbbbbbb", "NEW": "present"},
        errors=ErrorSummary(seconds=300, warning=50, top=(("NEW_ERROR", 30),), new=("NEW_ERROR", "ANOTHER")),
    )
    found = {(each.category, each.name): each for each in find_differences(before, after, 0.1)}
    assert {key: (each.before, each.after, each.component) for key, each in found.items()} == {
        ("environment", "REDIS_URL"): ("present", "absent", None),
        ("environment", "API_KEY"): ("aaaaaaaaaaaa", "bbbbbbbbbbbb", None),
        ("configuration", "redis.version"): ("6.2", "7.0", "redis"),
        ("infrastructure", "redis"): ("UP", "DEGRADED", "redis"),
        ("infrastructure", "gone"): ("UP", "absent", "redis"),
        ("error_rate", "errors"): (1.0, 10.0, None),
        ("error_type", "NEW_ERROR"): ("never seen", "30 times", None),
        ("error_type", "ANOTHER"): ("never seen", "once", None),
        ("data", "companies.company_count"): (40, 0, "companies"),
        ("performance", "redis.latency_ms"): (2, 9, "redis"),
    }
    latency, lost = found["performance", "redis.latency_ms"], found["data", "companies.company_count"]
    assert (latency.ratio, latency.change, latency.is_worse) == (4.5, 7.0, False)
    assert (lost.ratio, lost.change, found["infrastructure", "redis"].is_worse) == (0.0, -40.0, True)
    assert found["error_rate", "errors"].count == 50


def test_what_older_snapshots_only_knew_to_be_set_has_not_changed() -> None:
    old, new = taken(configuration={"KEY": "present"}), taken(configuration={"KEY": "0123456789ab"})
    assert find_differences(old, new, 0.1) == find_differences(new, old, 0.1) == []
    assert len(find_differences(new, taken(configuration={"KEY": "absent"}), 0.1)) == 1


def test_a_probe_that_could_not_read_its_versions_has_not_lost_them() -> None:
    before = taken(infrastructure={"app": seen(data={"commit": "1f2e"})})
    after = taken(infrastructure={"app": seen("DOWN")})
    assert [each.category for each in find_differences(before, after, 0.1)] == ["infrastructure"]


@given(st.dictionaries(st.text("abc", min_size=1), st.floats(0, 1e9), max_size=5))
def test_nothing_differs_from_itself(data: dict[str, float]) -> None:
    one = taken(infrastructure={"redis": seen(data=data)}, errors=ErrorSummary(seconds=60, info=1))
    assert find_differences(one, one, 0.0) == []


def test_since_when_is_kept_from_one_snapshot_to_the_next() -> None:
    each = Difference("environment", None, "KEY", "present", "absent")
    earlier = NOW - timedelta(hours=2)
    assert [one.since for one in with_first_seen([each], {}, NOW)] == [NOW]
    assert [one.since for one in with_first_seen([each], {"environment:KEY": earlier}, NOW)] == [earlier]


def test_facts_have_only_the_fields_that_there_are() -> None:
    text = Difference("environment", None, "KEY", "present", "absent")
    number = Difference("performance", "redis", "redis.latency_ms", 2.0, 9.0)
    assert difference_facts([text, number], {"environment:KEY"}) == [
        {"kind": "difference", "id": "difference:environment:KEY", "category": "environment", "name": "KEY",
         "before": "present", "after": "absent", "worse": False, "regression": True},
        {"kind": "difference", "id": "difference:performance:redis.latency_ms", "category": "performance",
         "component": "redis", "name": "redis.latency_ms", "before": 2.0, "after": 9.0, "change": 7.0,
         "ratio": 4.5, "worse": False, "regression": False},
    ]  # fmt: skip


def test_the_comparison_says_what_is_worse_and_what_to_put_back() -> None:
    lost = Difference("environment", None, "KEY", "present", "absent", since=NOW)
    version = Difference("configuration", "app", "app.commit", "1f2e", "9c8d", since=NOW)
    down = Difference("infrastructure", "redis", "redis", "UP", "DOWN", since=NOW)
    noise = Difference("metric", "redis", "redis.share", 0.1, 0.2, since=NOW)
    slow = Difference("performance", "redis", "redis.latency_ms", 1, 900, since=NOW)
    verdicts = [
        said(lost.key, Severity.CRITICAL, "set KEY again"),
        said(slow.key),
        said(slow.key, Severity.CRITICAL, priority=5),
    ]
    likely = {version.key: 0.6, lost.key: 0.3}
    found = assess([noise, down, lost, version, slow], verdicts, likely, GOOD, NOW)
    assert (found.is_regression, found.code, found.severity) == (True, "WORSE", Severity.CRITICAL)
    assert [(one.name, one.severity) for one in found.regressions] == [
        ("KEY", "CRITICAL"), ("redis.latency_ms", "CRITICAL"),
    ]  # fmt: skip
    assert [one.name for one in found.changes] == ["app.commit", "KEY", "redis.latency_ms", "redis"]
    assert found.rollback == "set KEY again; put app.commit back to what it was (1f2e)"
    assert found.message == "worse than the last known good state: environment:KEY is worse, and 1 more"
    told = comparison_details(found)
    assert (told["time_since_last_good"], told["last_known_good"]) == (90.0, "7")
    assert told["changes"][0] == {
        "category": "configuration", "component": "app", "name": "app.commit", "before": "1f2e",
        "after": "9c8d", "severity": "INFO", "message": "app.commit was 1f2e and is 9c8d",
        "since": "2026-03-01T00:00:00Z", "rule": None, "likelihood": 0.6,
    }  # fmt: skip


def test_a_checksum_is_never_shown_as_something_to_go_back_to() -> None:
    other = Difference("environment", None, "KEY", "a" * 12, "b" * 12, since=NOW)
    found = assess([other], [said("x")], {}, GOOD, NOW)
    assert found.changes[0].message == "KEY has another value"
    assert found.rollback == "put KEY back to what it was"


def test_without_a_good_state_there_is_nothing_to_compare_with() -> None:
    found = assess([], [], {}, None, NOW)
    assert not found.is_regression
    assert found.time_since_last_good is None
    assert found.message == "no state is known to be good yet, so there is nothing to compare with"


def steps(changed: str, suffers: str) -> int | None:
    far = {("redis", "web"): 1, ("disk", "web"): 2}
    return 0 if changed == suffers else far.get((changed, suffers))


def change(category: DifferenceCategory, component: str | None, ago: float, name: str = "x") -> Difference:
    return Difference(category, component, name, "a", "b", since=NOW - timedelta(seconds=ago))


def likely(*found: Difference) -> dict[str, float]:
    return rank_changes(found, {"web"}, NOW, steps, ChangeWeights())


def test_the_kind_the_time_and_the_distance_decide_what_likeliest_did_it() -> None:
    deploy, data = change("configuration", "web", 60), change("data", "web", 60, "d")
    near, far = change("configuration", "redis", 60, "n"), change("configuration", "disk", 60, "f")
    apart, old = change("configuration", "mail", 60, "m"), change("configuration", "web", 86400, "o")
    late = change("configuration", "web", -600, "l")
    found = likely(deploy, data, near, far, apart, old, late)
    ranked = sorted(found, key=lambda key: -found[key])
    assert ranked[:5] == [deploy.key, near.key, far.key, data.key, apart.key]
    assert found[old.key] < found[late.key] < found[apart.key]
    assert 0.8 < sum(found.values()) < 1


@given(
    st.lists(st.tuples(st.sampled_from(["environment", "data", "metric"]), st.floats(-1e6, 1e6)), max_size=6)
)
def test_all_together_are_at_most_certain(given_changes: list[tuple[DifferenceCategory, float]]) -> None:
    found = likely(*(change(kind, None, ago, f"{n}") for n, (kind, ago) in enumerate(given_changes)))
    assert sum(found.values()) <= 1.001
    assert all(value >= 0 for value in found.values())


def test_what_alone_is_worse_does_not_explain_itself() -> None:
    down = Difference("infrastructure", "web", "web", "UP", "DOWN", since=NOW)
    slow = Difference("performance", "redis", "redis.latency_ms", 1, 900, since=NOW)
    lost = change("environment", None, 0)
    assert select_candidates([down], [down]) == []
    assert select_candidates([down, lost], [down, lost]) == [lost]
    assert select_candidates([down, slow], [down, slow]) == [down, slow]
    assert select_candidates([down, slow], [down]) == [slow]


def test_what_is_not_looked_at_any_more_is_said_and_explains_nothing() -> None:
    gone = Difference("infrastructure", "shop", "settings", "UP", "absent", since=NOW)
    down = Difference("infrastructure", "redis", "redis", "UP", "DOWN", since=NOW)
    assert (gone.is_worse, down.is_worse) == (False, True)
    assert select_candidates([gone, down], [down]) == []
    (shown,) = assess([gone], [], {}, ("7", NOW), NOW).changes
    assert shown.message == "settings is not looked at any more, and was UP"
    assert assess([gone], [], {}, ("7", NOW), NOW).message.endswith("; one thing changed")
