"""The first screen in a storm: a row each, true totals, filters, and acts on several at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from support.firstcause_process import wait_until
from support.http_server import serve_stage
from support.scenario_app import NO_STORMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

PAGE = {"accept": "text/html"}
SERVICES = [f"service-{number}" for number in range(24)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("storm")
    with serve_stage(folder, rules=NO_STORMS) as (made, _stage):
        events = [
            {"code": f"ODD_{number}", "service": SERVICES[number], "tenant": f"company{number % 4}"}
            for number in range(24)
        ]
        made.post("/api/v1/events", json=[*events, {"code": "TWILIO_API_FAILURE"}]).raise_for_status()
        wait_until(lambda: len(list_open(made)) == 25, "all incidents")
        yield made


def list_open(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/v1/incidents?status=open&limit=100").json()["incidents"]
    return found


def show(client: httpx.Client, query: str = "") -> str:
    return client.get(f"/{query}", headers=PAGE).text


def count_rows(page: str) -> int:
    return page.count('<input type="checkbox" name="id-')


def test_each_has_a_row_below_its_service_the_most_urgent_first(client: httpx.Client) -> None:
    page = show(client)
    assert "25 errors, 25 causes (1 P0, 24 P2)." in page
    assert count_rows(page) == 25
    groups = re.findall(r'scope="rowgroup"[^>]*><a [^>]*>([^<]+)</a> <span class="dim">(\d+)', page)
    assert groups[0][1] == "1", "the P0 leads"
    assert dict(groups[1:]) == dict.fromkeys(SERVICES, "1")


@pytest.mark.parametrize(
    ("query", "rows", "matched"),
    [
        ("?service=service-7", 0, 1),
        ("?priority=P2", 24, 24),
        ("?tenant=company1&priority=P2", 0, 6),
        ("?q=odd_7", 0, 1),
    ],
)  # fmt: skip
def test_a_filter_says_how_many_match_and_keeps_the_totals(
    client: httpx.Client, query: str, rows: int, matched: int
) -> None:
    page = show(client, query)
    assert "25 errors, 25 causes" in page, "what is hidden is still open"
    assert f"{matched} of 25 open incidents match" in page
    assert count_rows(page) == rows, "few have a card each"
    assert client.get("/?priority=P9", headers=PAGE).status_code in {400, 422}


def test_several_are_acknowledged_and_silenced_after_one_question(client: httpx.Client) -> None:
    numbers = [found["id"] for found in list_open(client) if found["priority"] == "P2"][:3]
    chosen = {f"id-{number}": "on" for number in numbers}
    asked = client.get("/incidents/several/ack", params=chosen, headers=PAGE).text
    assert "Acknowledge 3 incidents" in asked
    csrf = asked.partition('data-csrf="')[2].partition('"')[0]
    fields = {"csrf": csrf, "by": "Anna", **chosen}
    assert client.post("/incidents/several/ack", data=fields, headers=PAGE).status_code == 303
    taken = {found["id"] for found in list_open(client) if found["acknowledged_by"] == "Anna"}
    assert taken == set(numbers)
    assert client.post("/incidents/several/silence", data=fields, headers=PAGE).status_code == 400
    silenced = client.post("/incidents/several/silence", data={**fields, "for": "2h"}, headers=PAGE)
    assert silenced.status_code == 303
    assert len(client.get("/settings", headers=PAGE).text.split("/end")) > 3
    nothing = client.get("/incidents/several/ack", headers=PAGE)
    assert (nothing.status_code, "no incident is chosen" in nothing.text) == (400, True)
    assert client.get("/incidents/several/delete", params=chosen, headers=PAGE).status_code == 404


def test_an_error_without_an_entry_has_a_draft_and_a_way_to_its_cause(client: httpx.Client) -> None:
    number = next(found["id"] for found in list_open(client) if found["root"]["code"] == "ODD_20")
    page = client.get(f"/incidents/{number}", headers=PAGE).text
    assert "- code: ODD_20\n" in page.partition("Write an entry")[2]
    assert "Also began within a minute" in page
    asked = client.get(f"/incidents/{number}/merge", headers=PAGE).text
    target = next(found["id"] for found in list_open(client) if found["root"]["code"] == "TWILIO_API_FAILURE")
    assert f'<option value="{target}"' in asked
    csrf = asked.partition('data-csrf="')[2].partition('"')[0]
    done = client.post(f"/incidents/{number}/merge", data={"csrf": csrf, "into": target}, headers=PAGE)
    assert (done.status_code, done.headers["location"]) == (303, f"/incidents/{target}")
