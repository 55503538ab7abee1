from __future__ import annotations

from typing import Any

from firstcause.core.model import Alert, Role, Severity, Status
from firstcause.core.root_cause.graphs import ComponentGraph
from firstcause.views.incident_graph import build_neighbourhood
from support.scenario_app import START


def alert(name: str, **given: Any) -> Alert:
    values: dict[str, Any] = {
        "fingerprint": name,
        "fault": name,
        "code": name.upper(),
        "catalogued": True,
        "title": name,
        "severity": Severity.CRITICAL,
        "first_seen": START,
        "last_seen": START,
        "count": 3,
        "component": name,
    }
    return Alert(**(values | given))


def test_root_cascades_and_what_beside_them_is_well() -> None:
    graph = ComponentGraph({"sms": ["twilio", "redis"], "page": ["sms"], "twilio": ["network"]})
    members = [alert("twilio"), alert("sms", role=Role.CASCADE, caused_by="twilio")]
    found = build_neighbourhood(members, graph, {"redis": Status.UP, "network": Status.DEGRADED})
    states = {each["name"]: (each["state"], each["layer"]) for each in found["nodes"]}
    assert states == {
        "twilio": ("root", 0),
        "sms": ("cascade", 1),
        "network": ("troubled", -1),
        "redis": ("healthy", 0),
        "page": ("unknown", 2),
    }
    edges = {(each["cause"], each["effect"]): each["seen"] for each in found["edges"]}
    assert edges[("twilio", "sms")]
    assert not edges[("redis", "sms")]


def test_a_circle_and_alerts_without_a_place_still_have_theirs() -> None:
    graph = ComponentGraph({"a": ["b"], "b": ["a"]})
    members = [
        alert("a"),
        alert("b", role=Role.CASCADE, caused_by="a"),
        alert("x", component=None, service=None, role=Role.CASCADE, caused_by="gone"),
    ]
    found = build_neighbourhood(members, graph, {})
    assert {each["name"]: each["layer"] for each in found["nodes"]} == {"a": 0, "b": 1, "X": 1}
    assert found["nodes"][0]["codes"] == ["A"]
