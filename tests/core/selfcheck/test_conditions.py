"""Conditions are made of a state by pure functions: what is wrong, how bad it is, and that each has a fix."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.selfcheck.conditions import PARTS, Condition, Level, SelfCheckLimits, find_conditions
from firstcause.core.selfcheck.messages import build_condition_event, build_condition_notification
from firstcause.core.selfcheck.state import (
    Backlog,
    Failure,
    HangingProbe,
    ListenerState,
    LoopState,
    NotifierState,
    PluginFailure,
    RejectedRules,
    RouteState,
    SelfState,
    SetAside,
    SwitchedOffRule,
    WaitingEvaluation,
)
from firstcause.resources import shipped_path
from firstcause.rulefiles.load import load

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
LIMITS = SelfCheckLimits()


def before(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def find(**parts: Any) -> list[Condition]:
    return find_conditions(SelfState(started_at=before(9000), **parts), LIMITS, NOW)


def levels(**parts: Any) -> dict[str, Level]:
    return {condition.code.removeprefix("FIRSTCAUSE_"): condition.level for condition in find(**parts)}


def loop(name: str = "triage", **values: Any) -> LoopState:
    return replace(LoopState(name, is_alive=True, silent_s=1.0, max_silence_s=300.0), **values)


def failure(seconds: float, error: str = "it broke") -> Failure:
    return Failure(before(seconds), error)


def test_nothing_wrong_is_no_condition() -> None:
    assert find() == []
    healthy = {
        "loops": [loop(), loop("deliver")],
        "listeners": [ListenerState("syslog")],
        "notifiers": [NotifierState("phone"), NotifierState("console", is_log=True)],
        "routes": [RouteState("on call", ("phone", "console"))],
    }
    assert find(**healthy) == []


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"store_failure": failure(1)}, {"STORE_UNWRITABLE": Level.UNREADY}),
        ({"store_excess": failure(1)}, {"STORE_OVER_LIMIT": Level.DEGRADED}),
        ({"loops": [loop(failure=failure(59))]}, {"TRIAGE_FAILING": Level.DEGRADED}),
        ({"loops": [loop(failure=failure(60))]}, {"TRIAGE_FAILING": Level.UNREADY}),
        ({"loops": [loop("deliver", failure=failure(60))]}, {"LOOP_FAILING": Level.UNREADY}),
        ({"loops": [loop("sweep", failure=failure(6000))]}, {"LOOP_FAILING": Level.DEGRADED}),
        ({"loops": [loop(silent_s=301.0)]}, {"LOOP_STALLED": Level.UNREADY}),
        ({"loops": [loop("sweep", is_alive=False)]}, {"LOOP_STALLED": Level.DEGRADED}),
        ({"intake_full_since": before(1)}, {"INTAKE_FULL": Level.UNREADY}),
        ({"listeners": [ListenerState("syslog", failure(299))]}, {"LISTENER_DOWN": Level.DEGRADED}),
        ({"listeners": [ListenerState("syslog", failure(300))]}, {"LISTENER_DOWN": Level.UNREADY}),
        ({"rejected_rules": RejectedRules(before(1), "a.yaml:1:1: no")}, {"RULES_REJECTED": Level.DEGRADED}),
        ({"hanging_probes": [HangingProbe("redis", before(9))]}, {"PROBE_HANGING": Level.DEGRADED}),
        (
            {"switched_off_rules": [SwitchedOffRule("two", "a.yaml:3", 2, before(1), 10_000)]},
            {"RULE_SWITCHED_OFF": Level.DEGRADED},
        ),
        ({"backlog": Backlog(5001, before(59))}, {}),
        ({"backlog": Backlog(5001, before(60))}, {"TRIAGE_BEHIND": Level.DEGRADED}),
        ({"lacks_probes": True}, {"NOTHING_PROBED": Level.INCOMPLETE}),
        ({"waiting_evaluation": WaitingEvaluation(9, before(59))}, {"EVALUATION_BEHIND": Level.NOTICE}),
        ({"waiting_evaluation": WaitingEvaluation(9, before(60))}, {"EVALUATION_BEHIND": Level.DEGRADED}),
    ],
)
def test_what_is_wrong_has_its_level(parts: dict[str, Any], expected: dict[str, Level]) -> None:
    assert levels(**parts) == expected


def test_loops_that_fail_because_of_the_store_are_not_listed() -> None:
    assert levels(store_failure=failure(90), loops=[loop(failure=failure(90))]) == {
        "STORE_UNWRITABLE": Level.UNREADY
    }


def test_set_aside_events_are_over_an_hour_after_the_last() -> None:
    assert levels(set_aside=SetAside(2, before(9000), before(3599), "bad")) == {
        "EVENTS_SET_ASIDE": Level.DEGRADED
    }
    assert levels(set_aside=SetAside(2, before(9000), before(3600), "bad")) == {}


def test_a_problem_of_a_plugin_lasts_until_a_restart_or_until_it_stays_away() -> None:
    lasting = PluginFailure("twilio", "a wrong key", before(9000), before(9000), lasts=True)
    recent = PluginFailure("host", "it raised", before(9000), before(899), lasts=False)
    past = PluginFailure("mail", "it raised", before(9000), before(900), lasts=False)
    found = find(plugins=[lasting, recent, past, PluginFailure("host", "again", NOW, NOW, lasts=False)])
    assert [(condition.about, condition.detail) for condition in found] == [
        ("twilio", "a wrong key"),
        ("host", "it raised\nagain"),
    ]
    assert found[1].since == before(9000)


def test_a_route_reaches_nobody_if_each_notifier_fails_or_is_missing() -> None:
    phone = NotifierState("phone", failure=failure(50, "wrong password"))
    mail = NotifierState("mail", failure=failure(20, "refused"))
    gone = NotifierState("pager", exists=False)
    console = NotifierState("console", is_log=True)
    route = RouteState("on call", ("phone", "mail", "pager"))
    (unreachable,) = [
        condition
        for condition in find(notifiers=[phone, mail, gone], routes=[route])
        if condition.part == "notifications" and condition.about == "on call"
    ]
    assert (unreachable.code, unreachable.about) == ("FIRSTCAUSE_ROUTE_UNREACHABLE", "on call")
    assert unreachable.since == before(20), "until then mail worked"
    assert unreachable.needs_direct_message
    assert unreachable.detail == "no plugin offers pager\nphone: wrong password\nmail: refused"
    codes = levels(notifiers=[phone, console], routes=[RouteState("on call", ("phone", "console"))])
    assert codes == {"NOTIFIER_FAILING": Level.DEGRADED}
    assert levels(notifiers=[], routes=[RouteState("default", ())]) == {"ROUTE_UNREACHABLE": Level.DEGRADED}
    assert levels(notifiers=[console], routes=[RouteState("default", ("console",))]) == {
        "NOTIFIED_BY_LOG_ONLY": Level.INCOMPLETE
    }
    own_choice = RouteState("log", ("console",), is_configured=True)
    assert levels(notifiers=[console], routes=[own_choice]) == {"NOTIFIED_BY_LOG_ONLY": Level.NOTICE}


def test_what_does_more_harm_comes_first() -> None:
    found = levels(
        lacks_probes=True,
        rejected_rules=RejectedRules(before(1), "no"),
        plugins=[PluginFailure("host", "no", NOW, NOW, lasts=True)],
        routes=[RouteState("default", ())],
        set_aside=SetAside(1, NOW, NOW, "no"),
        backlog=Backlog(9000, before(61)),
        store_failure=failure(1),
    )
    assert list(found) == [
        "STORE_UNWRITABLE", "EVENTS_SET_ASIDE", "ROUTE_UNREACHABLE", "TRIAGE_BEHIND", "PLUGIN_FAILING",
        "RULES_REJECTED", "NOTHING_PROBED",
    ]  # fmt: skip


FAILURES = st.builds(Failure, st.integers(0, 10_000).map(before), st.text(max_size=40))
LOOPS = st.builds(
    LoopState,
    st.sampled_from(["triage", "deliver", "sweep", "rules"]),
    st.booleans(),
    st.floats(0, 1000),
    st.just(300.0),
    st.none() | FAILURES,
)
STATES = st.builds(
    SelfState,
    started_at=st.just(before(10_000)),
    store_failure=st.none() | FAILURES,
    loops=st.lists(LOOPS, max_size=4, unique_by=lambda state: state.name),
    listeners=st.lists(st.builds(ListenerState, st.sampled_from("ab"), st.none() | FAILURES), max_size=2),
    notifiers=st.just(()),
    routes=st.just(()),
    set_aside=st.none()
    | st.builds(
        SetAside, st.integers(1, 9), st.just(before(99)), st.integers(0, 9999).map(before), st.text()
    ),
)


@given(STATES)
def test_every_condition_says_what_is_wrong_since_when_and_how_to_fix_it(state: SelfState) -> None:
    conditions = find_conditions(state, LIMITS, NOW)
    ranks = [condition.level.rank for condition in conditions]
    assert ranks == sorted(ranks, reverse=True), "the worst first"
    for condition in conditions:
        assert condition.summary.endswith(".")
        assert condition.fix.endswith(".")
        assert condition.since <= NOW
        assert condition.part in PARTS
        event = build_condition_event(condition, NOW, "1")
        assert event.message is not None
        assert event.message.startswith(condition.summary)
        begun = build_condition_notification(condition, NOW, is_over=False)
        over = build_condition_notification(condition, NOW, is_over=True)
        assert begun.id != over.id
        assert len(begun.text) <= 160
        assert condition.fix in begun.body


def test_every_code_that_is_reported_is_in_the_shipped_catalog() -> None:
    entries = load([shipped_path("rules")]).catalog.entries
    conditions = find(
        store_failure=failure(1),
        store_excess=failure(1),
        loops=[loop(is_alive=False)],
        intake_full_since=before(1),
        listeners=[ListenerState("syslog", failure(1))],
        rejected_rules=RejectedRules(before(1), "no"),
        switched_off_rules=[SwitchedOffRule("two", "a.yaml:3", 1, before(1), 10_000)],
        waiting_evaluation=WaitingEvaluation(1, before(1)),
        backlog=Backlog(9000, before(99)),
        set_aside=SetAside(1, NOW, NOW, "no"),
        plugins=[PluginFailure("host", "no", NOW, NOW, lasts=True)],
        notifiers=[NotifierState("phone", failure=failure(1))],
        routes=[RouteState("on call", ("phone",))],
        hanging_probes=[HangingProbe("redis", NOW)],
    ) + find(loops=[loop(failure=failure(1)), loop("sweep", failure=failure(1))])
    codes = {condition.code for condition in conditions}
    assert codes == {code for code in entries if code.startswith("FIRSTCAUSE_")} - {"FIRSTCAUSE_DRILL"}
    assert len(codes) == 16
