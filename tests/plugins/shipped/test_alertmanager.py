"""What Alertmanager and Prometheus send, into alerts that end when they say so."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import firstcause_alertmanager
import firstcause_otlp
import firstcause_sentry
from firstcause import Event, Severity
from firstcause.resources import shipped_path
from firstcause_alertmanager.config import Config
from firstcause_alertmanager.parser import Parser
from support.database_servers import free_port
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.scenario_app import Stage

PUBLIC = Path(os.environ.get("FIRSTCAUSE_TEST_DATA") or "none") / "payloads" / "public"
RECORDED = sorted([*PUBLIC.glob("captured/alertmanager/*.body"), *PUBLIC.glob("alertmanager/*.json")])
HOOK, DIRECT = "/api/v1/webhooks/alertmanager", "/api/v2/alerts"
UNKNOWN = "0001-01-01T00:00:00Z"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[httpx.Client, Stage]]:
    with serve_stage(tmp_path, firstcause_alertmanager) as both:
        yield both


def alert(name: str = "KubePodNotReady", status: str | None = "firing", **labels: Any) -> dict[str, Any]:
    started = datetime.now(UTC) - timedelta(minutes=5)
    made = {
        "labels": {"alertname": name, "severity": "warning", **labels},
        "annotations": {"summary": "A pod is not ready", "description": "for 15 minutes"},
        "startsAt": started.isoformat(),
        "endsAt": UNKNOWN,
        "generatorURL": "http://prometheus/graph",
    }
    return made if status is None else {**made, "status": status}


def webhook(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {"version": "4", "status": "firing", "receiver": "x", "alerts": list(alerts)}


def read(value: object, **config: Any) -> list[Event]:
    return list(Parser(Config.model_validate(config)).parse(json.dumps(value).encode(), {}).events)


def test_an_alert_becomes_an_event_with_all_that_it_says() -> None:
    sent = alert(service="shop", tenant="acme", severity="Critical")
    (event,) = read(webhook(sent))
    assert (event.code, event.message) == ("KUBE_POD_NOT_READY", "A pod is not ready")
    assert (event.service, event.tenant, event.severity) == ("shop", "acme", Severity.CRITICAL)
    assert event.details["labels"]["alertname"] == "KubePodNotReady"
    assert event.details["annotations"]["description"] == "for 15 minutes"
    assert event.time == datetime.fromisoformat(sent["startsAt"])
    assert not event.resolved


def test_labels_and_severities_are_the_sites_own() -> None:
    sent = alert(severity="purple", job="api", namespace="blue")
    (plain,) = read([sent])
    assert (plain.service, plain.tenant, plain.severity) == ("api", None, None)
    (own,) = read([sent], service=["namespace"], tenant=["job"], severities={"purple": "CRITICAL"})
    assert (own.service, own.tenant, own.severity) == ("blue", "api", Severity.CRITICAL)


def test_over_is_what_says_so_or_has_ended() -> None:
    past, ahead = (datetime.now(UTC) + timedelta(minutes=step) for step in (-1, 4))
    ended = alert(status=None) | {"endsAt": past.isoformat()}
    events = read([alert(status="resolved"), ended, alert(status=None) | {"endsAt": ahead.isoformat()}])
    assert [event.resolved for event in events] == [True, True, False]
    assert events[1].time == past


def test_an_alert_sent_again_at_once_counts_once_and_another_instance_counts_for_itself(
    served: tuple[httpx.Client, Stage],
) -> None:
    client, stage = served
    for sent in ([alert(pod="a")], [alert(pod="a")], [alert(pod="b")]):
        assert client.post(HOOK, content=json.dumps(webhook(*sent)).encode()).status_code == 202
    (incident,) = wait_until(
        lambda: [one for one in stage.incidents("open") if one["events"] > 1], "both pods in one incident"
    )
    assert [part["labels"]["pod"] for part in incident["alerts"][0]["parts"]] == ["a", "b"]
    assert incident["events"] == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"{}", "the body has no alerts"),
        (b'{"alerts": {}}', "the body has no alerts"),
        (b'[{"labels": {}}]', "alerts.0.labels: an alert has at least one label"),
        (b'[{"labels": {}}, 7]', "alerts.0.labels: an alert has at least one label"),
        (b'[{"labels": null}]', "alerts.0.labels: an alert has at least one label"),
        (b'[{"labels": {"a": null}}]', "alerts.0.labels: an alert has at least one label"),
    ],
)
def test_what_is_no_alert_is_refused_and_said(
    served: tuple[httpx.Client, Stage], body: bytes, said: str
) -> None:
    answer = served[0].post(HOOK, content=body)
    assert (answer.status_code // 100, answer.json()["error"].startswith(said)) == (4, True)
    assert served[1].accepted() == []


def test_an_alert_with_an_odd_value_is_an_alert_too() -> None:
    odd = {
        "status": ["firing"], "startsAt": 17, "endsAt": {}, "generatorURL": None,
        "labels": {"alertname": "Odd", "empty": None, "number": 3, "list": ["a"]},
        "annotations": {"summary": {"text": "x"}, "none": None},
    }  # fmt: skip
    (event,) = read([odd])
    assert (event.code, event.resolved, event.message) == ("ODD", False, '{"text": "x"}')
    assert event.labels == {"alertname": "Odd", "number": "3", "list": '["a"]'}
    (event,) = read([{"labels": {"alertname": "Bare"}, "annotations": "none"}])
    assert event.message == "Bare"


def test_an_invalid_alert_does_not_refuse_its_group(served: tuple[httpx.Client, Stage]) -> None:
    client, stage = served
    sent = webhook(alert("Good"), {"labels": {}}, 7, alert("Odd") | {"startsAt": "soon", "endsAt": 3})  # type: ignore[arg-type]
    answer = client.post(HOOK, json=sent)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    rejected = answer.json()["rejected"]
    assert [item["index"] for item in rejected] == [1, 2]
    assert rejected[0]["error"] == "alerts.1.labels: an alert has at least one label"
    assert {row["event"]["code"] for row in stage.accepted()} == {"GOOD", "ODD"}
    assert client.get("/api/v1/status").json()["intake"]["rejected"] == {"alertmanager": {"no event": 2}}


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("fatal", "CRITICAL"), ("Emergency", "CRITICAL"), ("page", "CRITICAL"), ("P1", "CRITICAL"),
        ("sev-1", "CRITICAL"), ("error", "CRITICAL"), ("ticket", "WARNING"), ("P3", "WARNING"),
        ("none", "INFO"), ("purple", None),
    ],
)  # fmt: skip
def test_severities_in_the_words_of_alert_rules(word: str, severity: str | None) -> None:
    assert read([alert(severity=word)])[0].severity == severity


@pytest.mark.parametrize("path", [HOOK, DIRECT])
def test_fifty_of_them_fire_and_end_over_http(served: tuple[httpx.Client, Stage], path: str) -> None:
    client, stage = served
    sent = [alert(service="shop", instance=str(number)) for number in range(50)]
    body = {HOOK: webhook(*sent), DIRECT: sent}[path]
    answer = client.post(
        path, content=gzip.compress(json.dumps(body).encode()), headers={"content-encoding": "gzip"}
    )
    assert (answer.status_code, answer.json()["accepted"]) == (202, 50)
    incident = wait_until(lambda: stage.incidents("open"), "an incident")[0]
    assert incident["root"]["code"] == "K8S_POD_NOT_READY"
    over = [each | {"status": "resolved"} for each in sent]
    client.post(path, json={HOOK: webhook(*over), DIRECT: over}[path])
    wait_until(lambda: stage.incidents("resolved"), "its end")
    (one,) = stage.incidents()
    assert one["id"] == incident["id"]


@pytest.mark.skipif(not RECORDED, reason="FIRSTCAUSE_TEST_DATA names no folder with payloads/public")
def test_every_recorded_payload_is_taken_with_service_message_and_time() -> None:
    for file in RECORDED:
        body = file.read_bytes()
        sent = json.loads(body)["alerts"]
        events = Parser(Config()).parse(body, {}).events
        assert len(events) == len(sent) > 0, file.name
        for event, one in zip(events, sent, strict=True):
            assert event.code is not None
            assert event.message in one["annotations"].values()
            assert event.service == (one["labels"].get("service") or one["labels"].get("job"))
            began, ended = (datetime.fromisoformat(one[name]) for name in ("startsAt", "endsAt"))
            assert event.time == (ended if one["status"] == "resolved" else began)


@pytest.fixture
def alertmanager(served: tuple[httpx.Client, Stage], tmp_path: Path) -> Iterator[str]:
    """A real Alertmanager whose webhook is ours. Gives its URL."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("Alertmanager is not installed")
    hook = {"url": f"{served[0].base_url.join(HOOK)}", "send_resolved": True}
    route = {"receiver": "us", "group_wait": "0s", "group_interval": "1s", "group_by": ["alertname"]}
    config = {"route": route, "receivers": [{"name": "us", "webhook_configs": [hook]}]}
    (tmp_path / "am.yml").write_text(json.dumps(config))
    url = f"127.0.0.1:{free_port()}"
    command = (
        program, f"--config.file={tmp_path / 'am.yml'}", f"--storage.path={tmp_path / 'am'}",
        f"--web.listen-address={url}", "--cluster.listen-address=",
    )  # fmt: skip
    with (tmp_path / "am.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://{url}"
    finally:
        running.kill()
        running.wait()


def test_a_real_alertmanager_tells_us_and_takes_it_back(
    served: tuple[httpx.Client, Stage], alertmanager: str
) -> None:
    stage = served[1]

    def post(**changes: Any) -> bool:
        try:
            sent = [alert(status=None, service="shop", instance=str(number)) | changes for number in range(3)]
            return httpx.post(f"{alertmanager}/api/v2/alerts", json=sent).is_success
        except httpx.TransportError:
            return False

    wait_until(lambda: post(endsAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat()), "Alertmanager")
    incident = wait_until(lambda: stage.incidents("open"), "an incident")[0]
    assert incident["root"]["code"] == "K8S_POD_NOT_READY"
    wait_until(lambda: post(endsAt=(datetime.now(UTC) - timedelta(seconds=1)).isoformat()), "Alertmanager")
    wait_until(lambda: stage.incidents("resolved"), "its end")


def test_the_guide_is_as_we_are() -> None:
    guide = (shipped_path("rules").parent / "docs" / "intake.md").read_text()
    tables = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    given = tomllib.loads("\n".join(tables))["plugins"]
    Config.model_validate(given["alertmanager"])
    firstcause_sentry.Config.model_validate(given["sentry"])
    firstcause_otlp.Config.model_validate(given["otlp"])
    (form,) = firstcause_alertmanager.firstcause_intake(Config())
    assert {f"/api/v1/webhooks/{form.path}", DIRECT} <= {HOOK, *form.extra_paths}
    assert f"`POST {HOOK}`" in guide
    assert f"`POST {DIRECT}`" in guide
