"""Root causes by the graph of components, as timelines: what happens when, and what comes of it."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage

CALLS = {
    "web": ["cart", "search"],
    "app": ["cart", "search"],
    "desk": ["cart"],
    "cart": ["stock", "prices"],
    "search": ["index"],
    "stock": ["disk"],
}


@pytest.fixture
def shop(stages: Callable[..., Stage]) -> Stage:
    return stages(topology={"depends_on": CALLS})


def slow(stage: Stage, at: float, *services: str) -> None:
    for service in services:
        stage.report(at, "LATENCY_HIGH", service=service, severity="WARNING")


def full(stage: Stage, at: float, service: str, times: int = 3) -> None:
    stage.report(at, *["DISK_FULL"] * times, service=service, severity="CRITICAL")


def roots(stage: Stage, status: str | None = "open") -> list[tuple[str, str | None]]:
    found = [(one["root"]["code"], one["root"]["service"]) for one in stage.incidents(status)]
    return sorted(found, key=str)


def said_of(incident: dict[str, Any]) -> list[str]:
    return [line["what"] for line in incident["timeline"]]


def test_who_calls_whom_is_learned_from_errors_that_say_so_and_forgotten_in_time(
    stages: Callable[..., Stage],
) -> None:
    shop = stages(topology={"learned_ttl": "1d"})
    day, calls = 86400.0, ["web", "stock"]
    for caller in ("web", "app", "desk"):
        shop.report(0, "TIMED_OUT", service=caller, tags={"peer.service": "stock"})
    assert [row["callee"] for row in shop.rows("dependency")] == ["stock"] * 3
    shop.report(1, "TIMED_OUT", service="web", tags={"peer.service": "web"})
    shop.report(1, "TIMED_OUT", service="web", details={"peer.service": {"no": "name"}})
    assert len(shop.rows("dependency")) == 3
    full(shop, 5, "stock")
    assert roots(shop) == [("DISK_FULL", "stock")]
    for at in (10, 2 * day):
        for service in (*calls, "app", "desk"):
            code = "DISK_FULL" if service == "stock" else "TIMED_OUT"
            shop.report(at, code, service=service, resolved=True)
        shop.app.pipeline.triage_all(shop.time(at))
    full(shop, 2 * day + 10, "stock")
    slow(shop, 2 * day + 4000, "web")
    assert roots(shop) == [("DISK_FULL", "stock"), ("LATENCY_HIGH", "web")]
    shop.app.maintenance.sweep(shop.time(2 * day + 4030))
    assert shop.rows("dependency") == []


def test_a_sender_that_invents_names_does_not_fill_the_store(stages: Callable[..., Stage]) -> None:
    stage = stages()
    for start in range(0, 3000, 1000):
        stage.take(start, *(
            stage.event(start, "X", service="web", tags={"peer.service": f"host-{start + number}"})
            for number in range(1000)
        ))  # fmt: skip
    assert len(stage.rows("dependency")) == 1000


def test_a_root_that_comes_late_takes_over_the_incident_that_its_effects_opened(shop: Stage) -> None:
    slow(shop, 0, "web", "cart")
    assert roots(shop) == [("LATENCY_HIGH", "cart")]
    full(shop, 20, "stock")
    incident = shop.incident()
    assert (incident["root"]["code"], incident["root"]["service"]) == ("DISK_FULL", "stock")
    assert "root is now DISK_FULL at stock, no longer LATENCY_HIGH at cart" in said_of(incident)
    assert {alert["service"]: alert["role"] for alert in incident["alerts"]} == {
        "stock": "root",
        "web": "cascade",
        "cart": "cascade",
    }
    shop.deliver(100)
    assert shop.phones[0].summaries == ["first DISK_FULL"]


def test_a_chain_over_three_hops_has_its_root_at_the_end(shop: Stage) -> None:
    slow(shop, 0, "web", "cart", "stock")
    full(shop, 5, "disk")
    assert roots(shop) == [("DISK_FULL", "disk")]


def test_two_faults_at_once_are_two_incidents_with_their_own_effects(shop: Stage) -> None:
    full(shop, 0, "stock")
    full(shop, 1, "index")
    slow(shop, 2, "search", "cart")
    assert roots(shop) == [("DISK_FULL", "index"), ("DISK_FULL", "stock")]
    hit = {one["root"]["service"]: {each["service"] for each in one["alerts"]} for one in shop.incidents()}
    assert hit == {"stock": {"stock", "cart"}, "index": {"index", "search"}}
    shop.deliver(100)
    assert shop.phones[0].summaries == ["first DISK_FULL"] * 2


def test_wrong_then_right_is_put_right_and_said(shop: Stage) -> None:
    slow(shop, 0, "cart")
    shop.deliver(100)
    assert shop.phones[0].summaries == ["first LATENCY_HIGH"]
    full(shop, 200, "stock", times=20)
    shop.deliver(300)
    assert roots(shop) == [("DISK_FULL", "stock")]
    assert shop.phones[0].summaries == ["first LATENCY_HIGH", "new_root DISK_FULL"]
    reason = next(line["reason"] for line in shop.incident()["timeline"] if "root is now" in line["what"])
    assert "its own resource: DISK_FULL" in reason


def test_a_little_more_evidence_moves_the_root_and_wakes_nobody_again(shop: Stage) -> None:
    slow(shop, 0, "cart")
    shop.deliver(100)
    slow(shop, 130, "stock", "stock")
    shop.app.maintenance.sweep(shop.time(180))
    shop.deliver(300)
    assert roots(shop) == [("LATENCY_HIGH", "stock")]
    assert shop.phones[0].summaries == ["first LATENCY_HIGH"]


def test_a_component_that_says_nothing_is_named_and_its_incident_ends_with_its_callers(shop: Stage) -> None:
    slow(shop, 0, "web", "app")
    shop.report(3, "ERRORS", service="desk", severity="WARNING")
    incident = shop.incident()
    assert (incident["root"]["code"], incident["root"]["service"]) == ("SILENT_COMPONENT", "cart")
    assert incident["title"] == "cart says nothing, and 3 of its 3 callers fail"
    because = {each["because"] for each in incident["verdicts"] if each["verdict"] == "root_cause"}
    assert "no alert from cart; 3 of its 3 callers fail" in because
    shop.deliver(100)
    assert shop.phones[0].summaries == ["first SILENT_COMPONENT"]
    for service in ("web", "app"):
        shop.take(200, shop.event(200, "LATENCY_HIGH", service=service, resolved=True))
    shop.take(201, shop.event(201, "ERRORS", service="desk", resolved=True))
    shop.app.maintenance.sweep(shop.time(260))
    assert roots(shop) == []
    shop.deliver(300)
    assert shop.phones[0].summaries == ["first SILENT_COMPONENT", "resolved SILENT_COMPONENT"]


def test_a_silent_root_that_speaks_up_at_last_stands_for_itself(shop: Stage) -> None:
    slow(shop, 0, "web", "app", "desk")
    assert roots(shop) == [("SILENT_COMPONENT", "cart")]
    full(shop, 30, "cart")
    assert roots(shop) == [("DISK_FULL", "cart")]
    assert len(shop.incidents()) == 1
    active = [row["code"] for row in shop.rows("alert") if row["resolved_at"] is None]
    assert "SILENT_COMPONENT" not in active
    shop.deliver(100)
    text = shop.phones[0].received[0].text
    assert "cart is the most likely root" in text
    assert "no alert from" not in text, "it is not said of what was taken for the root before"
    assert (
        "no alert from"
        not in shop.app.incidents.render_debug_report("1", "text", shop.time(100)).partition("TIMELINE")[0]
    )


def test_a_flapping_alert_is_one_incident_at_a_time_and_one_alert_in_it(shop: Stage) -> None:
    full(shop, 0, "stock")
    for at in range(10, 200, 20):
        slow(shop, at, "cart")
        shop.take(at + 5, shop.event(at + 5, "LATENCY_HIGH", service="cart", resolved=True))
    slow(shop, 210, "cart")
    assert roots(shop) == [("DISK_FULL", "stock")]
    assert len(shop.incidents()) == 1
    shop.deliver(300)
    assert shop.phones[0].summaries == ["first DISK_FULL"]


def test_services_that_call_each_other_in_a_circle_have_one_root(stages: Callable[..., Stage]) -> None:
    stage = stages(topology={"depends_on": {"a": ["b"], "b": ["c"], "c": ["a"]}})
    slow(stage, 0, "a", "b", "c")
    full(stage, 1, "b")
    assert roots(stage) == [("DISK_FULL", "b")]


def test_what_a_probe_says_of_a_component_counts(stages: Callable[..., Stage]) -> None:
    stage = stages(topology={"depends_on": {"web": ["twilio", "search"]}})
    slow(stage, 0, "web", "search")
    assert roots(stage) == [("LATENCY_HIGH", "search")]


def test_the_order_of_arrival_within_the_window_never_changes_the_root(
    stages: Callable[..., Stage],
) -> None:
    stage = stages(topology={"depends_on": CALLS})
    happened = [
        ("LATENCY_HIGH", "web", 0),
        ("LATENCY_HIGH", "cart", 4),
        ("ERRORS", "app", 5),
        ("CPU_HIGH", "stock", 9),
    ]
    found = set()
    for turn, order in enumerate(itertools.permutations(happened)):
        begin = turn * 10_000
        for place, (code, service, at) in enumerate(order):
            event = stage.event(begin + at, code, service=service, severity="WARNING")
            stage.take(begin + 10 + place, event)
        found |= set(roots(stage))
        (incident,) = stage.incidents("open")
        stage.app.incidents.resolve(incident["id"], stage.time(begin + 5000), fix=None, actor="anna")
    assert found == {("CPU_HIGH", "stock")}


@pytest.mark.parametrize("times", [(1, 4), (4, 1)])
def test_what_comes_often_counts_as_much_whenever_the_rest_of_it_comes(
    shop: Stage, times: tuple[int, int]
) -> None:
    begun, later = times
    shop.report(0, *["LATENCY_HIGH"] * begun, service="cart", severity="WARNING")
    shop.report(1, "ERRORS", service="cart", severity="CRITICAL")
    shop.take(2, *(shop.event(0, "LATENCY_HIGH", service="cart", severity="WARNING") for _ in range(later)))
    assert roots(shop) == [("LATENCY_HIGH", "cart")]


@pytest.mark.parametrize("service", ["mill", "prices", None])
def test_an_unrelated_alert_never_changes_the_root(shop: Stage, service: str | None) -> None:
    slow(shop, 0, "web", "cart")
    full(shop, 3, "stock")
    shop.report(4, "GRINDING", service=service, tenant="acme", severity="WARNING")
    assert ("DISK_FULL", "stock") in roots(shop)


def test_a_day_of_mixed_noise_with_three_faults_in_it(shop: Stage) -> None:
    """Single errors here and there all day; three faults with their symptoms; each is named, once."""
    chance = random.Random(7)
    services = sorted({*CALLS, *(name for names in CALLS.values() for name in names)})
    faults = {
        20_000: ("stock", ["cart", "web"]),
        45_000: ("index", ["search", "app"]),
        70_000: ("disk", ["stock"]),
    }
    noise = sorted(chance.uniform(0, 86_400) for _ in range(60))
    for at, kind in sorted([(at, "noise") for at in noise] + [(at, "fault") for at in faults]):
        if kind == "noise":
            name = chance.choice(services)
            stamp = stage_event(shop, at, chance.choice(("ODD_ERROR", "LATENCY_HIGH")), name)
            shop.take(at, stamp)
            shop.take(at + 400, shop.event(at + 400, stamp.code, service=name, resolved=True))
        else:
            root, hit = faults[int(at)]
            full(shop, at, root)
            slow(shop, at + 10, *hit)
            shop.deliver(at + 100)
            assert ("DISK_FULL", root) in roots(shop), at
            shop.take(at + 900, shop.event(at + 900, "DISK_FULL", service=root, resolved=True))
            for name in hit:
                shop.take(at + 901, shop.event(at + 901, "LATENCY_HIGH", service=name, resolved=True))
        shop.app.maintenance.sweep(shop.time(at + 950))
        shop.deliver(at + 1000)
    assert shop.phones[0].summaries.count("first DISK_FULL") == len(faults)
    assert shop.phones[0].summaries.count("resolved DISK_FULL") == len(faults)
    assert roots(shop) == []


def stage_event(stage: Stage, at: float, code: str, service: str) -> Any:
    return stage.event(at, code, service=service, severity="WARNING")


def test_impact_grows_with_what_really_reported_against_what_is_known(shop: Stage) -> None:
    shop.report(0, "ODD_ERROR", tenant="dora", severity="WARNING")
    shop.report(10, "LATENCY_HIGH", service="cart", tenant="acme", severity="WARNING")
    impact = next(one["impact"] for one in shop.incidents() if one["root"]["code"] == "LATENCY_HIGH")
    assert (impact["companies"], impact["companies_known"], impact["components"]) == (["acme"], 2, ["cart"])
    shop.report(20, "LATENCY_HIGH", service="web", tenant="bolt", severity="WARNING")
    full(shop, 30, "stock")
    impact = next(one["impact"] for one in shop.incidents() if one["root"]["code"] == "DISK_FULL")
    assert impact["companies"] == ["acme", "bolt"]
    shop.take(40, shop.event(40, "LATENCY_HIGH", service="web", tenant="bolt", resolved=True))
    impact = next(one["impact"] for one in shop.incidents() if one["root"]["code"] == "DISK_FULL")
    assert impact["companies"] == ["acme", "bolt"], "whom it hit it has hit"
    assert (impact["companies_known"], impact["components"]) == (3, ["cart", "stock", "web"])


def test_the_features_are_those_of_the_components_that_it_reaches(stages: Callable[..., Stage]) -> None:
    stage = stages(topology={"depends_on": {"sms": ["stock"], "agent": ["stock"]}})
    full(stage, 0, "stock")
    assert stage.incident()["impact"]["features"] == []
    slow(stage, 1, "sms")
    catalog = stage.app.rules.catalog
    sms, agent = catalog.features_of("sms"), catalog.features_of("agent")
    assert set(stage.incident()["impact"]["features"]) == set(sms) != set()
    slow(stage, 2, "agent")
    incident = stage.incident()
    assert set(incident["impact"]["features"]) == {*sms, *agent} > set(sms)
    assert incident["root"]["code"] == "DISK_FULL"


def test_a_component_that_says_nothing_takes_its_features_with_it(stages: Callable[..., Stage]) -> None:
    stage = stages(topology={"depends_on": {name: ["sms"] for name in ("web", "app", "desk")}})
    slow(stage, 0, "web", "app", "desk")
    incident = stage.incident()
    assert incident["root"]["code"] == "SILENT_COMPONENT"
    assert set(incident["impact"]["features"]) >= set(stage.app.rules.catalog.features_of("sms")) != set()


def test_of_equals_the_one_that_was_the_root_before_is_likelier(stages: Callable[..., Stage]) -> None:
    stage = stages(topology={"depends_on": {"web": ["prices", "stock"]}})
    full(stage, 0, "stock")
    stage.take(100, stage.event(100, "DISK_FULL", service="stock", resolved=True))
    slow(stage, 5000, "web", "prices", "stock")
    assert roots(stage) == [("LATENCY_HIGH", "stock")]
    best = stage.app.incidents.explain("2", stage.time(5001))["suspects"][0]
    assert {"text": "it was the root of 1 recent incident", "weight": 0.3} in best["for"]
