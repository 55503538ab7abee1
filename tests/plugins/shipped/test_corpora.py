"""Every recorded payload, posted to the real application: taken with what it says, or refused and why."""

from __future__ import annotations

import gzip
import json
import os
import re
import tomllib
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import firstcause_alertmanager
import firstcause_otlp
import firstcause_sentry
import firstcause_webhook_receivers
from firstcause.resources import shipped_path
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from support.scenario_app import Stage

DATA = Path(os.environ.get("FIRSTCAUSE_TEST_DATA") or "none") / "payloads"
PUBLIC = DATA / "public"
SENTRY = sorted((PUBLIC / "sentry").glob("*/*.json"))
CAPTURED = sorted((PUBLIC / "captured").glob("*/*.body"))
TOLD = sorted((PUBLIC / "other_alerts").glob("*.json"))
OTLP = sorted((PUBLIC / "otlp").glob("*.json"))
ALERTS = sorted((PUBLIC / "alertmanager").glob("*.json"))
GUIDE = shipped_path("rules").parent / "docs" / "intake.md"

pytestmark = pytest.mark.skipif(
    not SENTRY, reason="FIRSTCAUSE_TEST_DATA names no folder with payloads/public"
)
name = lambda path: f"{path.parent.name}-{path.stem}"  # noqa: E731


def mappings() -> dict[str, Any]:
    tables = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    found: dict[str, Any] = tomllib.loads("\n".join(tables))["plugins"]["webhook_receivers"]
    return found


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Stage]]:
    folder = tmp_path_factory.mktemp("corpora")
    plugins = (firstcause_sentry, firstcause_alertmanager, firstcause_otlp, firstcause_webhook_receivers)
    tables = {
        "firstcause_webhook_receivers": mappings(),
        "firstcause_sentry": {"projects": {"7": "of-project-7", "42": "of-project-42"}},
    }
    with serve_stage(folder, *plugins, tables=tables, store={"url": f"sqlite:///{folder}/x.db"}) as both:
        yield both


class Posted:
    """One request and what came of it. events: as they are on disk now that were not before."""

    def __init__(self, app: tuple[httpx.Client, Stage], path: str, body: bytes, **headers: str) -> None:
        client, self.stage = app
        before = {row["event_id"] for row in self.stage.accepted()}
        self.answer = client.post(path, content=body, headers=headers)
        rows = self.stage.accepted()
        # Ids without a colon are our own: of probes, and of what has gone quiet.
        self.events = [
            row["event"] for row in rows if row["event_id"] not in before and ":" in row["event_id"]
        ]

    def refused(self) -> bool:
        """With a 4xx and a reason."""
        assert self.answer.status_code < 500, self.answer.text
        if self.answer.status_code < 400:
            return False
        said = self.answer.json()
        assert said.get("error") or said.get("detail")
        assert not self.events
        return True

    def masked(self, text: str) -> str:
        return self.stage.app.masking.get_mask().mask_text(text)


def moment(value: Any) -> datetime | None:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    with suppress(ValueError):
        found = datetime.fromisoformat(str(value))
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def exceptions(sent: dict[str, Any]) -> list[dict[str, Any]]:
    given = sent.get("exception")
    listed = given.get("values") if isinstance(given, dict) else given
    return [each for each in listed or [] if each]


def words(sent: dict[str, Any]) -> str:
    """What a person would say that the event says."""
    if found := exceptions(sent):
        last = found[-1]
        if last.get("type") or last.get("value"):
            return str(last.get("value") or last["type"])
    entry = sent.get("logentry") or sent.get("message")
    if isinstance(entry, dict):
        return str(entry.get("formatted") or entry["message"])
    return str(entry)


def sent_of(file: Path) -> dict[str, Any]:
    """With an id of its own: some of the recorded share theirs."""
    found: dict[str, Any] = json.loads(file.read_bytes())
    return found | {"event_id": uuid.uuid5(uuid.NAMESPACE_URL, f"{file}").hex}


@pytest.mark.parametrize("file", SENTRY, ids=name)
def test_an_event_of_sentry(app: tuple[httpx.Client, Stage], file: Path) -> None:
    sent = sent_of(file)
    posted = Posted(app, "/api/7/store/", json.dumps(sent).encode())
    assert not posted.refused()
    (event,) = posted.events
    assert posted.answer.json()["id"] == sent["event_id"]
    assert event["service"] == "of-project-7"
    if "params" not in (sent.get("logentry") or {}):
        assert posted.masked(words(sent).strip()).split("\n")[0][:80] in event["message"]
    found = exceptions(sent)
    if found and (kind := str(found[-1].get("type") or "").strip()):
        assert event["details"]["exception"] == kind
        assert event["message"].startswith(posted.masked(kind))
    if (said := moment(sent.get("timestamp"))) is not None:
        assert abs((datetime.fromisoformat(event["time"]) - said).total_seconds()) < 1
    for key in ("release", "environment", "platform", "server_name"):
        if isinstance(sent.get(key), str) and sent[key].strip():
            assert event["details"][key] == posted.masked(sent[key])
    listed = [(each.get("stacktrace") or {}).get("frames") or [] for each in found]
    frames = [frame for frames in listed for frame in frames[-20:] if frame]
    functions = {frame["function"] for frame in frames if frame.get("function")}
    assert all(posted.masked(each) in event["stack"] for each in list(functions)[:5])
    level = {"fatal": "CRITICAL", "warning": "WARNING", "info": "INFO"}.get(str(sent.get("level")))
    assert level is None or event["severity"] == level


def test_the_odd_ones_are_among_them_and_come_as_envelopes_too(app: tuple[httpx.Client, Stage]) -> None:
    odd = [PUBLIC / "sentry" / line for line in (DATA / "sentry" / "KNOWN-BROKEN").read_text().split()]
    assert len(odd) > 5
    for file in odd:
        assert file in SENTRY
        sent = sent_of(file) | {"event_id": uuid.uuid4().hex}
        body = b'{}\n{"type":"event"}\n' + json.dumps(sent).encode() + b"\n"
        posted = Posted(app, "/api/7/envelope/", body)
        assert not posted.refused(), file
        assert posted.events[0]["message"], file


@pytest.mark.parametrize("file", CAPTURED, ids=name)
def test_what_was_on_the_wire(app: tuple[httpx.Client, Stage], file: Path) -> None:
    meta = json.loads(file.with_suffix(".meta.json").read_bytes())
    kept = ("Content-Type", "content-type", "Content-Encoding", "X-Sentry-Auth")
    headers = {key.lower(): value for key, value in meta["headers"].items() if key in kept}
    ours = {"/hook": "/api/v1/webhooks/alertmanager", "/storm": "/api/v2/alerts"}
    path = ours.get(meta["path"], meta["path"])
    body = file.read_bytes()
    if body[:2] != b"\x1f\x8b":
        headers.pop("content-encoding", None)
    if path == "/api/v2/alerts":
        body = json.dumps(json.loads(body)["alerts"]).encode()
    posted = Posted(app, path, body, **headers)
    if meta["path"] == "/v1/traces":
        assert posted.refused()
        return
    assert not posted.refused()
    plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    for event in posted.events:
        assert event.get("service"), event
        assert event["message"]
        for part in re.split(r"[: ]+", event["message"])[:3]:
            assert part.encode() in plain.replace(b"\\", b"") or event.get("code", "").startswith("CRON_")


EXPECTED: dict[str, tuple[str, list[tuple[str | None, str, str | None, str | None, bool]]]] = {
    "alerta_cloudwatch_insufficient_data": (
        "cloudwatch",
        [("NOTIFICATION_COUNT_ALARM", "number of notifications exceeded", "alerta-test", "WARNING", False)],
    ),
    "alerta_grafana_alert_ok": ("grafana", [("ZETA_CPU_ALERT", "boom!", None, None, True)]),
    "alerta_new_relic_notification": (
        "newrelic",
        [
            (
                "NEW_RELIC_ALERT_TEST_CONDITION", "I am a test Violation", "New Relic Alert - Test Policy",
                "INFO", False,
            )
        ],
    ),
    "alerta_pagerduty_alert": (
        "pagerduty-old", [(None, "45645", "service", None, False), (None, "45645", "service", None, True)],
    ),
    "keep_cloudwatch_alerts": (
        "cloudwatch",
        [
            ("HIGH_CPU_USAGE", "CPU utilization is above 90% threshold", "AWS/EC2", "WARNING", False),
            ("HIGH_MEMORY_USAGE", "Memory utilization is above 85% threshold", "AWS/ECS", "CRITICAL", False),
            ("API_ERROR_RATE", "API error rate exceeds 5% threshold", "AWS/ApiGateway", "CRITICAL", False),
        ],
    ),
    "keep_gcpmonitoring_alerts": (
        "gcp",
        [
            (
                "ALERT_5_XX_ERROR_RATE_5", "High rate of 5XX errors detected in production environment",
                "Production Web Cluster", "CRITICAL", False,
            ),
            (
                "MEMORY_USAGE_90", "Memory usage exceeds 90% on production servers",
                "Production Web Server 1", "WARNING", False,
            ),
            (
                "QUERY_LATENCY_2S", "Database query latency above threshold", "Production MySQL Main",
                "WARNING", False,
            ),
        ],
    ),
    "keep_signalfx_alerts": (
        "signalfx",
        [
            (
                "LOGS", "The value of sf.org.log.numMessagesDroppedThrottle is below 1.",
                "sf.org.log.numMessagesDroppedThrottle", "CRITICAL", False,
            )
        ],
    ),
    "keep_thousandeyes_alert": (
        "thousandeyes",
        [
            (
                "DEFAULT_AGENT_OFFLINE_NOTIFICATION",
                "Default Agent Offline Notification: Last Contact ≥ 6 minutes ago", "te", "INFO", False,
            ),
            (
                "PDF_TEST", "PDF Test: Response Code is not OK (2xx)", "https://pdf.ezhil.dev - HTTP Server",
                "INFO", True,
            ),
        ],
    ),
}  # fmt: skip
TIMES = {
    "alerta_cloudwatch_insufficient_data": "2019-05-13T08:41:43.548+00:00",
    "alerta_new_relic_notification": "2020-09-25T11:23:27.849+00:00",
    "alerta_pagerduty_alert": "2013-07-09T20:25:44+00:00",
    "keep_thousandeyes_alert": "2025-03-24T17:28:40+00:00",
}


def payloads(file: Path) -> list[Any]:
    """Some files hold several, each with a name."""
    value = json.loads(file.read_bytes())
    several = value.values() if isinstance(value, dict) else [None]
    if all(isinstance(each, dict) and "payload" in each for each in several):
        return [each["payload"] for each in several if each]
    return [value]


@pytest.mark.parametrize("file", TOLD, ids=name)
def test_an_alert_of_another_tool_by_the_mappings_of_the_guide(
    app: tuple[httpx.Client, Stage], file: Path
) -> None:
    mapping, expected = EXPECTED[file.stem]
    events = []
    for payload in payloads(file):
        posted = Posted(app, f"/api/v1/webhooks/{mapping}", json.dumps(payload).encode())
        assert not posted.refused()
        events += posted.events
    told = [
        (
            each.get("code"), each["message"], each.get("service"), each.get("severity"),
            each.get("resolved", False),
        )
        for each in events
    ]  # fmt: skip
    assert told == expected
    if file.stem in TIMES:
        assert datetime.fromisoformat(events[0]["time"]) == datetime.fromisoformat(TIMES[file.stem])


@pytest.mark.parametrize("file", OTLP, ids=name)
def test_an_export_of_opentelemetry(app: tuple[httpx.Client, Stage], file: Path) -> None:
    sent = json.loads(file.read_bytes())
    posted = Posted(app, "/v1/logs", file.read_bytes(), **{"content-type": "application/json"})
    if "resourceLogs" not in sent:
        assert posted.refused()
        return
    assert not posted.refused()
    for event in posted.events:
        assert event["service"] == "my.service"


@pytest.mark.parametrize("file", ALERTS, ids=name)
def test_an_alertmanagers_webhook(app: tuple[httpx.Client, Stage], file: Path) -> None:
    sent = json.loads(file.read_bytes())["alerts"]
    posted = Posted(app, "/api/v1/webhooks/alertmanager", file.read_bytes())
    assert not posted.refused()
    assert len(posted.events) == len(sent)
    for event, one in zip(posted.events, sent, strict=True):
        assert event["message"] in one["annotations"].values()
        assert event.get("service") == (one["labels"].get("service") or one["labels"].get("job"))


def test_whatever_is_sent_where_it_does_not_belong_is_refused_with_a_reason(
    app: tuple[httpx.Client, Stage],
) -> None:
    files = [each for each in PUBLIC.rglob("*") if each.is_file()]
    assert len(files) > 160
    paths = ("/api/7/envelope/", "/api/v1/webhooks/alertmanager", "/v1/logs", "/api/v1/webhooks/pagerduty")
    for file in files:
        for path in paths:
            answer = app[0].post(path, content=file.read_bytes())
            assert answer.status_code < 500, (file, path, answer.text)
            assert answer.status_code < 400 or answer.json()["error"], (file, path)
