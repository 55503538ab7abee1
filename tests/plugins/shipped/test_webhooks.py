"""Webhooks by a mapping: places in JSON, and what tools post through the real application."""

from __future__ import annotations

import json
import re
import tomllib
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import firstcause_cloudevents
import firstcause_syslog
import firstcause_webhook_receivers
from firstcause import Event, IntakeError, Severity
from firstcause.config import Settings
from firstcause.resources import shipped_path
from firstcause_webhook_receivers.config import Config
from firstcause_webhook_receivers.json_paths import select_first, value_at
from firstcause_webhook_receivers.parser import Parser
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = (shipped_path("rules").parent / "docs" / "intake.md").read_text()
SENT = {
    "host": "db1",
    "check.name": "disk",
    "list": [{"a": 1}, {"a": {"b": "deep"}}],
    "packed": '{"inner": {"x": "y"}}',
    "none": None,
    "flag": False,
    "check": {"name": "other"},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("host", "db1"), ("check.name", "disk"), ("list.1.a.b", "deep"), ("list.0.a", 1), ("list.9.a", None),
        ("list.x", None), ("packed.inner.x", "y"), ("host.more", None), ("none", None), ("flag", False),
        ("", SENT),
    ],
)  # fmt: skip
def test_what_stands_at_a_path(path: str, found: object) -> None:
    assert value_at(SENT, path) == found


@pytest.mark.parametrize(
    ("places", "found"),
    [
        (["nothing", "host"], "db1"), (["= checkout"], "checkout"), (["{host}: {check.name}"], "db1: disk"),
        (["{nothing}: {more}", "host"], "db1"), (["{host}/{nothing}"], "db1/"), (["^.host"], "root"),
        (["nothing"], None), (["flag"], False), ([], None),
    ],
)  # fmt: skip
def test_of_several_places_the_first_where_something_stands(places: list[str], found: object) -> None:
    assert select_first(SENT, {"host": "root"}, places) == found


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"message": "{host"}, "an unbalanced brace"),
        ({"message": ""}, "is not a path"),
        ({"mesage": "x"}, "Extra inputs"),
        ({"severities": {"a": "AWFUL"}}, "severities.a"),
        ({"path": "../x"}, "path"),
    ],
)
def test_a_wrong_mapping_is_named(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Config.model_validate({"tool": table})


def read(sent: object, **table: Any) -> list[Event]:
    mapping = Config.model_validate({"tool": table}).root["tool"]
    return list(Parser("tool", mapping).parse(json.dumps(sent).encode(), {}).events)


def test_a_list_with_what_stands_beside_it() -> None:
    sent = {"from": "acme", "alerts": [{"name": "High CPU", "on": "db1"}, {"name": "Disk", "state": "OK"}]}
    one, two = read(
        sent,
        items="alerts",
        code="name",
        message="{name} on {on}",
        tenant="^.from",
        service="on",
        resolved="state",
    )
    assert (one.code, one.message, one.tenant, one.service) == ("HIGH_CPU", "High CPU on db1", "acme", "db1")
    assert (two.code, two.resolved, one.resolved) == ("DISK", True, False)
    assert one.details == sent["alerts"][0]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (1601033007, 1601033007.0), (1601033007849, 1601033007.849), ("1601033007.5", 1601033007.5),
        (1601033007849000000, 1601033007.849), ("2020-09-25T11:23:27Z", 1601033007.0),
        ("2020-09-25 11:23:27 UTC", 1601033007.0), ("2020-09-25T13:23:27.000+0200", 1601033007.0),
    ],
)  # fmt: skip
def test_times_of_all_kinds(time: object, expected: float) -> None:
    (event,) = read({"message": "x", "time": time})
    assert event.time.timestamp() == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize("time", [None, 0, "soon", True, 1e40, []])
def test_without_a_time_it_is_now(time: object) -> None:
    (event,) = read({"message": "x", "time": time})
    assert abs((event.time - datetime.now(UTC)).total_seconds()) < 5


def test_an_item_with_nothing_in_it_does_not_refuse_the_others(tmp_path: Path) -> None:
    tables = {"firstcause_webhook_receivers": {"tool": {"items": "alerts"}}}
    sent = {"alerts": [{"message": "one"}, {"x": 1}, {"message": "two"}]}
    with serve_stage(tmp_path, firstcause_webhook_receivers, tables=tables) as (client, stage):
        answer = client.post("/api/v1/webhooks/tool", json=sent)
        assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
        (rejected,) = answer.json()["rejected"]
        assert (rejected["index"], "item 1 has nothing at message" in rejected["error"]) == (1, True)
        assert {row["event"]["message"] for row in stage.accepted()} == {"one", "two"}


def test_severities_are_the_sites_own() -> None:
    (event,) = read({"message": "x", "p": 7}, severity="p", severities={"7": "INFO"})
    assert event.severity is Severity.INFO
    assert read({"message": "x", "severity": "P1"})[0].severity is Severity.CRITICAL
    assert read({"message": "x", "severity": "purple"})[0].severity is None


def test_an_occurrence_sent_again_is_the_same_and_its_end_is_not() -> None:
    sent = {"message": "x", "id": 7, "state": "firing"}
    again, over = read(sent | {"more": 1}, id="id", resolved="state"), sent | {"state": "ok"}
    assert read(sent, id="id", resolved="state")[0].id == again[0].id
    assert again[0].id != read(over, id="id", resolved="state")[0].id


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "the body is not JSON"),
        (b"{}", "the body has nothing at 'alerts'; see [plugins.webhook_receivers.tool] items"),
        (b'{"alerts": [{"x": 1}]}', "item 0 has nothing at message"),
        (b'{"alerts": [7]}', "item 0 has nothing at message"),
    ],
)
def test_what_does_not_fit_is_refused_and_told_why(tmp_path: Path, body: bytes, said: str) -> None:
    tables = {"firstcause_webhook_receivers": {"tool": {"items": "alerts", "path": "my/tool"}}}
    with serve_stage(tmp_path, firstcause_webhook_receivers, tables=tables) as (client, _stage):
        answer = client.post("/api/v1/webhooks/my/tool", content=body)
        assert (answer.status_code // 100, said in answer.json()["error"]) == (4, True)


def test_from_a_tool_to_an_incident_and_its_end(tmp_path: Path) -> None:
    tables = {"firstcause_webhook_receivers": {"tool": {"code": "check", "resolved": "state"}}}
    with serve_stage(tmp_path, firstcause_webhook_receivers, tables=tables) as (client, stage):
        client.post(
            "/api/v1/webhooks/tool", json={"check": "Queue stuck", "message": "9000 wait", "state": "bad"}
        )
        incident = wait_until(lambda: stage.incidents("open"), "an incident")[0]
        assert incident["root"]["code"] == "QUEUE_STUCK"
        client.post(
            "/api/v1/webhooks/tool", json={"check": "Queue stuck", "message": "none wait", "state": "ok"}
        )
        wait_until(lambda: stage.incidents("resolved"), "its end")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["message", "time", "severity", "id", "a"]), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_no_shape_makes_it_fail(sent: Any) -> None:
    with suppress(IntakeError):
        read(sent, id="id", code=["{a}", "message.a.0"], resolved="severity")


def test_the_tables_of_the_guide_are_valid_and_its_paths_are_ours() -> None:
    tables = tomllib.loads("\n".join(re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)))
    forms = firstcause_webhook_receivers.firstcause_intake(
        Config.model_validate(tables["plugins"]["webhook_receivers"])
    )
    assert len(forms) >= 9
    named = firstcause_cloudevents.Config.model_validate(tables["plugins"]["cloudevents"])
    assert named == firstcause_cloudevents.Config().model_copy(update={"severities": named.severities})
    listeners = firstcause_syslog.firstcause_listeners(
        firstcause_syslog.Config.model_validate(tables["plugins"]["syslog"])
    )
    assert [each.name for each in listeners] == ["syslog/udp", "syslog/tcp"]
    token = tables["intake"]["tokens"]["checkout"]
    assert token.pop("token_file")
    Settings.model_validate({"intake": {"tokens": {"checkout": token | {"token": "long enough"}}}})


def test_datadog_and_pagerduty_as_their_documentation_has_them() -> None:
    tables = tomllib.loads("\n".join(re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)))["plugins"][
        "webhook_receivers"
    ]
    (template,) = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    filled = {
        "$ID": "1", "$ALERT_TITLE": "CPU high", "$ALERT_TYPE": "error", "$ALERT_TRANSITION": "Recovered",
        "$HOSTNAME": "db1", "$DATE": "1601033007849", "$TEXT_ONLY_MSG": "t", "$LINK": "l",
    }  # fmt: skip
    sent = {key: filled[value] for key, value in json.loads(template).items()}
    (event,) = read(sent, **tables["datadog"])
    assert (event.message, event.service, event.severity) == ("CPU high", "db1", Severity.CRITICAL)
    assert (event.resolved, event.time.year) == (True, 2020)
    data = {"title": "db down", "status": "triggered", "urgency": "high", "service": {"summary": "checkout"}}
    page = {"event": {"id": "1", "occurred_at": "2026-11-25T03:00:00Z", "data": data}}
    (event,) = read(page, **tables["pagerduty"])
    assert (event.message, event.service, event.severity) == ("db down", "checkout", Severity.CRITICAL)
    assert (event.resolved, event.time.year) == (False, 2026)


def test_labels_of_a_mapping_tell_hosts_apart_and_its_end_is_waited_for() -> None:
    mapping = {
        "message": "title",
        "labels": {"instance": ["host", "node"], "rack": "rack"},
        "resolved": "state",
    }
    (config,) = Config.model_validate({"tool": mapping}).root.values()
    sent = [{"title": "down", "host": "db1"}, {"title": "down", "node": "db2", "state": "OK"}]
    events = [Parser("tool", config).parse(json.dumps(item).encode(), {}).events[0] for item in sent]
    assert [(event.labels, event.resolved, event.reports_end) for event in events] == [
        ({"instance": "db1"}, False, True),
        ({"instance": "db2"}, True, True),
    ]
    (plain,) = Config.model_validate({"tool": {"message": "title"}}).root.values()
    assert Parser("tool", plain).parse(b'{"title": "x"}', {}).events[0].reports_end is False
