"""The page over HTTP: headers, links, CSV, what goes into the audit log."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.web.pages.rendering import format_age, validate_web_link
from support.firstcause_process import wait_until
from support.http_server import serve_stage
from support.scenario_app import START

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

PAGE = {"accept": "text/html"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    with serve_stage(tmp_path) as (made, _stage):
        yield made


def post(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    mark = client.get("/", headers=PAGE).text.partition('data-csrf="')[2].partition('"')[0]
    return client.post(path, data={"csrf": mark, **fields}, headers=PAGE, follow_redirects=True)


def an_incident(client: httpx.Client, **event: Any) -> str:
    client.post("/api/v1/events", json={"code": "TWILIO_API_FAILURE", **event}).raise_for_status()
    found = wait_until(
        lambda: client.get("/api/v1/incidents?status=open").json()["incidents"], "the incident"
    )
    return str(found[0]["id"])


def test_nothing_inline_and_nothing_from_elsewhere(client: httpx.Client) -> None:
    number = an_incident(client)
    for path in (
        "/",
        f"/incidents/{number}",
        "/health",
        "/trends",
        "/snapshots",
        "/catalog",
        "/rules",
        "/settings",
    ):
        answer = client.get(path, headers=PAGE)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=|<style", answer.text), path
        linked = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', answer.text)
        assert linked
        assert all(each.startswith("/static/") for each in linked)
        for each in linked:
            kept = client.get(each)
            assert (kept.status_code, "immutable" in kept.headers["cache-control"]) == (200, True)


def test_acting_by_forms_is_done_and_taken_down(client: httpx.Client) -> None:
    number = an_incident(client)
    assert "Acknowledged by Anna" in post(client, f"/incidents/{number}/ack", by="Anna", comment="on it").text
    post(client, f"/incidents/{number}/unacknowledge")
    post(client, f"/incidents/{number}/silence", **{"for": "2h", "comment": "known"})
    post(client, "/silences/1/end")
    assert post(client, f"/incidents/{number}/silence", **{"for": "3 years"}).status_code == 400
    done = post(client, f"/incidents/{number}/resolve", fix="put them back")
    assert "put them back" in done.text
    settings = client.get("/settings", headers=PAGE).text.partition('id="audit"')[2]
    rows = re.findall(r"<td>(\w+)</td><td>([^<]*)</td>", settings)
    assert [(who, what.partition(" code=")[0]) for who, what in rows] == [
        ("Anna", f"incident {number}: resolved, with its cascades"),
        ("Anna", "silence 1: ended"),
        ("Anna", "silence 1: silenced"),
        ("Anna", f"incident {number}: no longer acknowledged"),
        ("Anna", f"incident {number}: acknowledged"),
    ]


def test_what_mended_it_before_is_shown_with_the_fix(tmp_path: Path) -> None:
    with serve_stage(tmp_path, rules={"thresholds": {"fix_held_for": 0}}) as (client, _stage):
        first = an_incident(client)
        post(client, f"/incidents/{first}/resolve", fix="put them <b>back</b>")
        second = an_incident(client)
        shown = client.get(f"/incidents/{second}", headers=PAGE).text
    assert second != first
    helped = shown.partition('id="past-fixes"')[2].partition("</ul>")[0]
    assert "<b>put them &lt;b&gt;back&lt;/b&gt;</b>" in helped
    assert "used once, less than a day before, and it held, 50% sure:" in helped
    assert f'<a href="/incidents/{first}">incident {first}</a>' in helped


def test_an_incident_that_flaps_says_so_in_its_rhythm(client: httpx.Client) -> None:
    number = an_incident(client)

    def is_active() -> bool:
        alerts = client.get(f"/api/v1/incidents/{number}").json()["alerts"]
        return any(alert["resolved_at"] is None for alert in alerts)

    for resolved in (True, False, True, False):
        event = {"code": "TWILIO_API_FAILURE", "resolved": resolved}
        client.post("/api/v1/events", json=event).raise_for_status()
        wait_until((lambda: not is_active()) if resolved else is_active, "the change")
    flapping = client.get(f"/api/v1/incidents/{number}").json()["flapping"]
    assert flapping["times"] == 3
    for path in ("/", f"/incidents/{number}"):
        assert "flapping: 3 times in " in client.get(path, headers=PAGE).text, path


def test_errors_are_pages_for_browsers_and_json_for_others(client: httpx.Client) -> None:
    page = client.get("/incidents/77", headers=PAGE)
    assert (page.status_code, "no incident" in page.text, "<h1>Not found</h1>" in page.text) == (
        404,
        True,
        True,
    )
    assert "no incident '77'" in client.get("/incidents/77").json()["error"]
    assert client.get("/api/v1/incidents/77", headers=PAGE).json()["error"]
    assert client.get("/trends?from=yesterday", headers=PAGE).status_code == 422
    assert client.get("/rules/file?name=../../config.toml", headers=PAGE).status_code == 404


def test_every_call_is_described(client: httpx.Client) -> None:
    page = client.get("/docs", headers=PAGE).text
    described = client.get("/api/openapi.json").json()["paths"]
    assert "/api/v1/events" in described
    assert not [path for path in described if path not in page]
    assert '<code>matchers</code> <span class="dim">body, list of string</span>' in page


def test_the_figures_of_a_chart_as_csv(client: httpx.Client) -> None:
    wait_until(lambda: client.get("/api/v1/health").json()["snapshot_id"], "a snapshot")
    answer = client.get("/trends/csv?metric=errors&metric=errors&range=1h")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["time", "errors"]
    assert len(rows) in {60, 61}
    assert client.get("/trends/csv?metric=nothing").status_code == 404


def test_the_tests_of_the_rules_run_beside_everything_else(client: httpx.Client, monkeypatch: Any) -> None:
    page = post(client, "/rules/test")
    assert "ran" in page.text
    wait_until(
        lambda: re.search(r"[1-9]\d* of \d+ ran|[1-9]\d* ran", client.get("/rules", headers=PAGE).text),
        "a test",
    )


def test_only_what_a_browser_may_be_sent_to_is_a_link() -> None:
    assert validate_web_link("https://console.example.org/x?y=1") == "https://console.example.org/x?y=1"
    for text in ("javascript:alert(1)", "data:text/html,x", "//evil", "https:evil", "http://[", None, ""):
        assert validate_web_link(text) is None


def test_times_as_people_say_them() -> None:
    assert format_age(START.isoformat(), START) == "just now"
    assert format_age("2026-11-01T02:15:00Z", START) == "45 min ago"
    assert format_age("2026-11-01T05:30:00Z", START) == "in 2 h"
