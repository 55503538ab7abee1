"""Whatever the order of arrival, and whatever unrelated comes: the same roots, by the pipeline itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstcause.core.model import Event
from firstcause.resources import shipped_path
from firstcause.rulebase.rulebase import load_rulebase
from firstcause.simulation.simulator import Simulator, Step
from support.scenario_app import START

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CALLS: dict[str, tuple[str, ...]] = {
    "web": (
        "cart",
        "search",
    ),
    "app": (
        "cart",
        "search",
        "twilio",
    ),
    "desk": ("cart",),
    "cart": (
        "stock",
        "prices",
    ),
    "search": ("index",),
    "stock": ("disk",),
    "mill": ("river",),
}
FAR = ("mill", "river")
HERE = sorted({*CALLS, *(callee for callees in CALLS.values() for callee in callees)} - set(FAR))
CODES = ("LATENCY_HIGH", "ERRORS", "CPU_HIGH", "DISK_FULL", "TRAFFIC_LOW")
KNOWN = ("TWILIO_API_FAILURE", "SMS_DELIVERY_FAILURE", "TWILIO_GREETING_FAILURE", "AI_AGENT_INIT_FAILURE")

Incidents = list[tuple[Any, ...]]

_some = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _events(codes: Sequence[str], services: Sequence[str | None]) -> st.SearchStrategy[Event]:
    return st.builds(
        lambda code, service, tenant, at, severity: Event.model_validate(
            {
                "id": "-",
                "code": code,
                "service": service,
                "tenant": tenant,
                "time": START + timedelta(seconds=at),
                "severity": severity,
            }
        ),
        st.sampled_from(codes),
        st.sampled_from(services),
        st.sampled_from([None, None, "acme", "bolt"]),
        st.integers(0, 25),
        st.sampled_from(["WARNING", "CRITICAL"]),
    )


STORMS = st.lists(
    st.one_of(_events(CODES, HERE), _events(KNOWN, [None, "app", "web"])), min_size=1, max_size=10
).map(lambda events: [each.model_copy(update={"id": str(at)}) for at, each in enumerate(events)])


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Simulator]:
    knowledge = load_rulebase([shipped_path("rules")], {}, depends_on=CALLS)
    made = Simulator(knowledge)
    yield made
    made.close()
    knowledge.close()


def _played(rehearsal: Simulator, events: Sequence[Event], together: int) -> tuple[Incidents, int]:
    """What is open once all have come, a few at a time; and how often people were told."""
    batches = [events[at : at + together] for at in range(0, len(events), together)]
    rehearsal.run(Step(START + timedelta(seconds=26 + at), batch) for at, batch in enumerate(batches))
    found = []
    for one in rehearsal.list_incidents():
        members = sorted(
            (str(each["code"]), str(each["service"]), str(each["tenant"]), each["role"])
            for each in one["alerts"]
            if each["resolved_at"] is None
        )
        found.append((tuple(one["root"].values()), one["priority"], tuple(members)))
    return sorted(found, key=str), len(rehearsal.notifications)


@_some
@given(storm=STORMS, together=st.integers(1, 4), data=st.data())
def test_the_order_of_arrival_within_the_window_changes_neither_roots_nor_messages(
    rehearsal: Simulator, storm: list[Event], together: int, data: st.DataObject
) -> None:
    at_once = _played(rehearsal, storm, len(storm))
    assert _played(rehearsal, data.draw(st.permutations(storm)), together) == at_once


@_some
@given(storm=STORMS, stranger=_events(CODES, FAR), place=st.integers(0, 10))
def test_an_alert_of_another_part_of_the_system_changes_no_root(
    rehearsal: Simulator, storm: list[Event], stranger: Event, place: int
) -> None:
    before, _told = _played(rehearsal, storm, 3)
    more = [*storm[:place], stranger.model_copy(update={"id": "stranger"}), *storm[place:]]
    after, _told = _played(rehearsal, more, 3)
    assert [one for one in after if all(member[1] not in FAR for member in one[2])] == before
