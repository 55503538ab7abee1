"""The HTTP side as clients meet it: a real server on a real socket over a real store."""

from __future__ import annotations

import contextlib
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

import firstcause_otlp
from firstcause.daemon.server import create_web_server
from firstcause.errors import ConfigError
from firstcause.store.database import Database
from support.firstcause_process import wait_until
from support.http_server import serve_stage
from support.scenario_app import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    with serve_stage(tmp_path) as (made, _stage):
        yield made


def test_202_means_on_disk(client: httpx.Client, tmp_path: Path) -> None:
    for number in range(30):
        answer = client.post("/api/v1/events", json={"code": "A", "id": str(number)})
        assert answer.status_code == 202
        # By somebody who knows nothing of the daemon's memory.
        with contextlib.closing(Database(f"sqlite:///{tmp_path}/x.db")) as other, other.read() as conn:
            stored = conn.execute(sa.text("SELECT count(*) FROM event")).scalar_one()
            assert other.inbox.count_pending(conn) + stored == number + 1


def test_from_errors_to_a_resolved_incident(client: httpx.Client) -> None:
    events = [{"code": "SMS_DELIVERY_FAILURE", "tenant": "acme"}, {"code": "TWILIO_API_FAILURE"}, {}]
    lines = "\n".join(map(json.dumps, events))
    headers = {"content-encoding": "gzip", "content-type": "application/x-ndjson"}
    answer = client.post("/api/v1/events", content=gzip.compress(lines.encode()), headers=headers)
    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["rejected"][0]["index"]) == (2, 2)
    listed = wait_until(lambda: client.get("/api/v1/incidents").json()["incidents"], "an incident")
    number = listed[0]["id"]
    assert client.get(f"/api/v1/incidents/{number}").json()["root"]["code"] == "TWILIO_API_FAILURE"
    report = client.get(f"/api/v1/incidents/{number}/debug")
    assert report.json()["dependencies"]["root_cause"]["code"] == "TWILIO_API_FAILURE"
    assert "HOW TO FIX" in client.get(f"/api/v1/incidents/{number}/debug?format=text").text
    assert client.get(f"/api/v1/incidents/{number}/debug?format=markdown").text.startswith("# CRITICAL")
    done = client.post(f"/api/v1/incidents/{number}/resolve", json={"fix": "rotated"})
    assert (done.json()["status"], done.json()["fix"]) == ("resolved", "rotated")
    assert client.post(f"/api/v1/incidents/{number}/resolve").json()["fix"] == "rotated"
    assert client.get("/api/v1/incidents?status=open").json() == {"incidents": []}


def test_the_rest_of_what_can_be_asked(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "loops": []}
    ready = client.get("/readyz")
    assert (ready.status_code, set(ready.json()["checks"].values())) == (200, {"ok"})
    codes = [entry["code"] for entry in client.get("/api/v1/catalog").json()["entries"]]
    assert "TWILIO_API_FAILURE" in codes
    reading = client.post("/api/v1/probes/twilio/run").json()
    assert (reading["name"], reading["status"]) == ("twilio", "UP")
    health = wait_until(
        lambda: (found := client.get("/api/v1/health").json())["snapshot_id"] and found, "a snapshot"
    )
    assert health["infrastructure"]["twilio"]["status"] == "UP"


def test_silences_and_acknowledgement(client: httpx.Client) -> None:
    client.post("/api/v1/events", json={"code": "REDIS_SLOW", "tenant": "acme"})
    wait_until(lambda: client.get("/api/v1/incidents/1").status_code == 200, "the incident")
    taken = client.post("/api/v1/incidents/1/ack", json={"by": "anna", "comment": "on it"})
    assert taken.json()["acknowledged_by"] == "anna"
    assert client.post("/api/v1/incidents/1/ack", json={"undo": True}).json()["acknowledged_by"] is None
    made = client.post("/api/v1/silences", json={"matchers": ["code=REDIS_SLOW"], "for": "2h", "by": "anna"})
    assert (made.status_code, made.json()["state"]) == (201, "active")
    wait_until(
        lambda: client.get("/api/v1/incidents/1").json()["silenced_by"] == ["1"], "the silence to hold"
    )
    assert client.delete("/api/v1/silences/1").json()["state"] == "expired"
    wait_until(lambda: not client.get("/api/v1/incidents/1").json()["silenced_by"], "the silence to end")
    assert client.get("/api/v1/silences").json() == {"silences": []}
    assert len(client.get("/api/v1/silences?ended=true").json()["silences"]) == 1
    wrong = client.post("/api/v1/silences", json={"matchers": ["code"], "for": "2h"})
    assert (wrong.status_code, "not a matcher" in wrong.json()["error"]) == (400, True)


def test_merge_and_split(client: httpx.Client) -> None:
    client.post("/api/v1/events", json=[{"code": "REDIS_SLOW"}, {"code": "COMPANY_DATABASE_EMPTY"}])
    wait_until(lambda: len(client.get("/api/v1/incidents?status=open").json()["incidents"]) == 2, "both")
    merged = client.post("/api/v1/incidents/2/merge", json={"into": "1", "by": "anna"}).json()
    assert len(merged["alerts"]) == 2
    effect = next(each["id"] for each in merged["alerts"] if each["role"] == "cascade")
    parted = client.post("/api/v1/incidents/1/split", json={"alerts": [effect]})
    assert (parted.status_code, len(parted.json()["alerts"])) == (200, 1)
    assert client.post("/api/v1/incidents/1/merge", json={"into": "77"}).status_code == 404
    assert client.post("/api/v1/incidents/1/split", json={"alerts": ["77"]}).status_code == 400


def test_why_an_incident_is_what_it_is(client: httpx.Client) -> None:
    client.post("/api/v1/events", json=[{"code": "TWILIO_API_FAILURE"}, {"code": "SMS_DELIVERY_FAILURE"}])
    wait_until(lambda: client.get("/api/v1/incidents/1").status_code == 200, "the incident")
    why = client.get("/api/v1/incidents/1/explain").json()
    (root,) = why["tree"]
    assert (root["code"], root["verdicts"][0]["file"]) == ("TWILIO_API_FAILURE", "rules/policy/causes.yaml")
    assert [each["code"] for each in root["causes"]] == ["SMS_DELIVERY_FAILURE"]


REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("POST", "/api/v1/events", {"content": b"{"}, 400, "not JSON"),
    ("POST", "/api/v1/events", {"content": b""}, 400, "empty"),
    ("POST", "/api/v1/events", {"json": {"code": 7}}, 422, "code: "),
    ("POST", "/api/v1/events", {"content": b"x", "headers": {"content-encoding": "lz4"}}, 415, "gzip"),
    ("POST", "/api/v1/events", {"json": {"code": "A", "message": "x" * 1_100_000}}, 413, "over"),
    ("GET", "/api/v1/incidents/77", {}, 404, "no incident '77'"),
    ("GET", "/api/v1/incidents/77/debug", {}, 404, "no incident '77'"),
    ("GET", "/api/v1/incidents/77/explain", {}, 404, "no incident '77'"),
    ("POST", "/api/v1/incidents/77/resolve", {}, 404, "no incident '77'"),
    ("POST", "/api/v1/incidents/77/resolve", {"json": {"fix": 7}}, 422, "fix"),
    ("GET", "/api/v1/incidents?status=lost", {}, 422, "status"),
    ("GET", "/api/v1/incidents?limit=0", {}, 422, "limit"),
    ("GET", "/api/v1/incidents/1/debug?format=pdf", {}, 422, "format"),
    ("POST", "/api/v1/probes/nothing/run", {}, 404, "no probe 'nothing'"),
    ("GET", "/nothing", {}, 404, "Not Found"),
    ("DELETE", "/api/v1/incidents/1", {}, 405, "Method Not Allowed"),
    (
        "POST",
        "/api/v1/events",
        {"json": {"code": "A"}, "headers": {"origin": "https://evil.example"}},
        403,
        "Origin",
    ),
    ("GET", "/api/v1/incidents", {"headers": {"host": "evil.example"}}, 403, "Host"),
]


def test_every_refusal_is_json_with_the_reason(client: httpx.Client) -> None:
    for method, path, given, status, says in REFUSED:
        answer = client.request(method, path, **given)
        assert (answer.status_code, says in answer.json()["error"]) == (status, True), (path, answer.text)


def test_a_body_without_a_length_is_cut_off_at_the_limit(tmp_path: Path) -> None:
    with serve_stage(tmp_path, intake={"max_request_bytes": 10_000}) as (client, _stage):
        answer = client.post("/api/v1/events", content=(b" " * 1000 for _ in range(50)))
        assert (answer.status_code, "over 10000 bytes" in answer.json()["error"]) == (413, True)


def test_a_page_of_our_own_may_post(client: httpx.Client) -> None:
    origin = str(client.base_url).rstrip("/")
    assert client.post("/api/v1/events", json={"code": "A"}, headers={"origin": origin}).status_code == 202


def test_with_a_token_only_who_has_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("long-and-random\n")
    with serve_stage(tmp_path, web={"token_file": "token"}) as (client, _stage):
        assert client.get("/healthz").status_code == 200
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic long-and-random"}):
            answer = client.get("/api/v1/incidents", headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        right = {"authorization": "Bearer long-and-random"}
        assert client.get("/api/v1/incidents", headers=right).status_code == 200


@pytest.mark.parametrize(
    ("web", "says"),
    [
        ({"host": "0.0.0.0"}, "a token is needed"),
        ({"token_file": "nowhere"}, "cannot be read"),
        ({"token_file": "empty"}, "is empty"),
    ],
)
def test_an_open_door_is_refused_at_the_start(tmp_path: Path, web: dict[str, str], says: str) -> None:
    (tmp_path / "empty").write_text("\n")
    stage = Stage(f"sqlite:///{tmp_path}/x.db", tmp_path, web=web)
    with pytest.raises(ConfigError, match=says):
        create_web_server(stage.app)
    stage.app.close()


def test_a_store_that_is_gone_is_said_and_nothing_is_acknowledged(tmp_path: Path) -> None:
    with serve_stage(tmp_path, firstcause_otlp) as (client, _stage):
        folder = tmp_path / "x.db-accepted"
        folder.write_text("no folder")
        answer = client.post("/api/v1/events", json={"code": "A"})
        assert answer.status_code == 503
        assert 1 <= int(answer.headers["retry-after"]) <= 3
        logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityNumber": 17}]}]}]}
        assert 1 <= int(client.post("/v1/logs", json=logs).headers["retry-after"]) <= 3
        assert f"the inbox in {folder} cannot be used: Not a directory; check" in answer.json()["error"]
        folder.unlink()
        assert client.post("/api/v1/events", json={"code": "A"}).status_code == 202, "it goes on by itself"


def test_many_senders_at_once_are_all_counted_once(client: httpx.Client) -> None:
    def send(sender: int) -> int:
        events = [{"code": f"CODE_{n % 3}", "id": f"{sender}-{n}"} for n in range(50)]
        return int(client.post("/api/v1/events", content=json.dumps(events)).json()["accepted"])

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(send, range(20))) == 1000

    def counted() -> int:
        return sum(one["events"] for one in client.get("/api/v1/incidents").json()["incidents"])

    wait_until(lambda: counted() == 1000, "all to be counted")


def test_the_page_shows_what_is_open_and_runs_nothing_that_senders_wrote(client: httpx.Client) -> None:
    assert "All is well" in client.get("/").text
    client.post("/api/v1/events", json={"message": "<script>alert(1)</script> & more"})
    wait_until(lambda: client.get("/api/v1/incidents").json()["incidents"], "an incident")
    page = client.get("/")
    assert "1 open" in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page.text
    assert "<script>" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
