"""Recorded storms: what is read of a line, and what is said of a line that is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.errors import IntakeError
from firstcause.simulation.recorded_storm import parse

STORM: dict[str, Any] = {
    "id": "one",
    "edges": [["web", "stock"], ["web", "stock"]],
    "alerts": [
        {"service": "stock", "kind": "cpu_high", "t": 60.5, "count": 3, "score": 2.0, "detail": "99 %"},
        {"service": "web", "kind": "latency high!", "t": -8},
    ],
    "symptom": {"service": "web", "metric": "latency"},
    "root": {"service": "stock"},
}


def test_alerts_become_events_in_the_order_of_time() -> None:
    storm = parse(json.dumps(STORM))
    (_, (slow,)), (later, full) = storm.iter_batches()
    assert (slow.code, slow.service, slow.message) == ("LATENCY_HIGH", "web", None)
    assert [each.code for each in full] == ["CPU_HIGH"] * 3
    assert {(later - each.time).total_seconds() for each in full} == {4.5}
    assert (full[0].details, full[0].message) == ({"score": 2.0}, "99 %")
    assert len({each.id for each in (slow, *full)}) == 4


def test_the_graph_and_what_users_notice_become_facts() -> None:
    dependency, symptom = parse(json.dumps(STORM)).build_facts()
    assert (dependency["component"], dependency["on"]) == ("web", "stock")
    assert (symptom["kind"], symptom["metric"]) == ("symptom", "latency")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "no JSON"),
        ("[]", "the line: Input should be a valid dictionary"),
        ('{"id": "x"}', "alerts: Field required"),
        ('{"id": "x", "alerts": []}', "alerts: List should have at least 1 item"),
        ('{"id": "x", "alerts": [{"service": "a", "kind": "k"}]}', "alerts.0.t: Field required"),
        ('{"id": "x", "alerts": [{"service": "a", "kind": "k", "t": NaN}]}', "alerts.0.t"),
        ('{"id": "x", "alerts": [{"service": "a", "kind": "k", "t": 1e300}]}', "alerts.0.t"),
        ('{"id": "x", "edges": [["a"]], "alerts": [{"service": "a", "kind": "k", "t": 1}]}', "edges.0.1"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_storm_is_said(line: str, says: str) -> None:
    with pytest.raises(IntakeError, match=says.replace("[", r"\[")):
        parse(line)


@given(kind=st.text(min_size=1, max_size=100), count=st.integers(1, 5))
def test_any_kind_has_a_code(kind: str, count: int) -> None:
    alert = {"service": "a", "kind": kind, "t": 0, "count": count}
    ((_, events),) = parse(json.dumps({"id": "x", "alerts": [alert]})).iter_batches()
    assert len(events) == count
    assert events[0].code
    assert events[0].code[0].isalpha()
