from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firstcause.config.notify import Notify, Route
from firstcause.core.model import Impact, Incident, Priority, Root, Severity
from firstcause.hookspecs.types import Notifier
from firstcause.notify.routes import find_obstacle, match_routes, matches_route


def incident(
    priority: Priority = Priority.P0,
    severity: Severity = Severity.CRITICAL,
    companies: tuple[str, ...] = (),
) -> Incident:
    return Incident(
        fault="f",
        root=Root(code="A"),
        title="t",
        priority=priority,
        severity=severity,
        impact=Impact(companies=companies),
        opened_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def route(*notifiers: str, **fields: Any) -> Route:
    return Route.model_validate({"notifiers": notifiers or ("console",), **fields})


def named(*routes: Route) -> dict[str, Route]:
    return Notify(routes=routes).by_name


def notifiers(*names: str, **stands_on: set[str]) -> dict[str, Notifier]:
    return {
        name: Notifier(name, lambda _said: None, depends_on=frozenset(stands_on.get(name, ())))
        for name in (*names, *stands_on)
    }


# routes_for


def test_without_routes_everybody_is_tried_those_of_last_resort_last() -> None:
    offered = notifiers("sms", "email")
    offered["console"] = Notifier("console", lambda _said: None, last_resort=True)
    assert match_routes(incident(), (), {}, offered) == {"default": ("email", "sms", "console")}
    assert match_routes(incident(), (), {}, {}) == {}


def test_without_routes_nobody_is_rung_up_who_must_be_asked_for() -> None:
    offered = notifiers("sms")
    offered["call"] = Notifier("call", lambda _said: None, default=False)
    assert match_routes(incident(), (), {}, offered) == {"default": ("sms",)}
    assert match_routes(incident(), (), named(route("call")), offered) == {"route 1": ("call",)}
    del offered["sms"]
    assert match_routes(incident(), (), {}, offered) == {}


def test_the_first_route_that_fits_is_taken_and_further_ones_where_it_says_so() -> None:
    routes = [
        route("never", name="low", priorities=["P2"]),
        route("sms", "console", name="night", priorities=["P0"], **{"continue": True}),
        route("email"),
        route("console", name="unreached"),
    ]
    assert match_routes(incident(), (), named(*routes), {}) == {
        "night": ("sms", "console"),
        "route 3": ("email",),
    }
    assert match_routes(incident(Priority.P1), (), named(*routes), {}) == {"route 3": ("email",)}
    assert match_routes(incident(Priority.P2), (), named(*routes), {}) == {"low": ("never",)}


def test_continue_goes_on_from_a_route_that_fits_only() -> None:
    routes = [route(priorities=["P2"], **{"continue": True}), route(name="next")]
    assert list(match_routes(incident(), (), named(*routes), {})) == ["next"]


def test_where_no_route_fits_nobody_is_told() -> None:
    assert match_routes(incident(), (), named(route(priorities=["P2"])), notifiers("console")) == {}


def test_every_condition_must_hold_and_one_of_its_list_is_enough() -> None:
    wanted = route(
        priorities=["P0", "P1"], severities=["critical"], tenants=["acme", "globex"], components=["db"]
    )
    hit = incident(companies=("acme", "initech"))
    assert matches_route(wanted, hit, {"db", "api"})
    assert not matches_route(wanted, hit, {"api"})
    assert not matches_route(wanted, hit, ())
    assert not matches_route(wanted, incident(companies=("initech",)), {"db"})
    assert not matches_route(wanted, incident(), {"db"})
    assert not matches_route(wanted, hit.model_copy(update={"priority": Priority.P2}), {"db"})
    assert not matches_route(wanted, hit.model_copy(update={"severity": Severity.WARNING}), {"db"})


SOME = st.lists(st.sampled_from(["a", "b", "c"]), unique=True)
ROUTES = st.lists(
    st.builds(
        lambda priorities, tenants, components, onward: route(
            priorities=priorities, tenants=tenants, components=components, **{"continue": onward}
        ),
        st.lists(st.sampled_from(Priority), unique=True),
        SOME,
        SOME,
        st.booleans(),
    ),
    max_size=6,
)


@given(ROUTES, st.sampled_from(Priority), SOME, SOME)
def test_what_is_taken_fits_and_nothing_that_fits_is_passed_over(
    routes: list[Route], priority: Priority, companies: list[str], components: list[str]
) -> None:
    hit = incident(priority, companies=tuple(companies))
    taken = match_routes(hit, components, named(*routes), {})
    fitting = [
        (f"route {number}", each)
        for number, each in enumerate(routes, 1)
        if matches_route(each, hit, components)
    ]
    last = next((place for place, (_, each) in enumerate(fitting) if not each.then_continue), len(fitting))
    assert list(taken) == [name for name, _ in fitting[: last + 1]]


# find_obstacle


def test_a_notifier_that_depends_on_what_is_broken_cannot_send() -> None:
    offered = notifiers("console", sms={"twilio", "network"}, email={"network"})
    names = ("sms", "email", "console")

    def able(broken: set[str], hanging: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
        return [name for name in names if find_obstacle(name, broken, offered, hanging) is None]

    assert able(set()) == list(names)
    assert able({"twilio"}) == ["email", "console"]
    assert able({"network"}) == ["console"]
    assert able({"twilio"}, {"email"}) == ["console"]


def test_an_obstacle_is_named() -> None:
    offered = notifiers("console", sms={"twilio"})
    assert find_obstacle("gone", (), offered, ()) == "no plugin offers it"
    assert find_obstacle("sms", {"twilio"}, offered, ()) == "it depends on twilio, which is broken"
    assert find_obstacle("sms", (), offered, {"sms"}) == "it has not returned from an earlier call"
