"""Every question is answered while a batch is triaged, however long that takes. On both databases."""

from __future__ import annotations

import threading
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import APIRoute

from firstcause import Event, Reading, Status, SuppliedFact, hookimpl
from firstcause.web import api, live_updates, metrics, pages
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from support.scenario_app import Stage

MAX_HOLD_S = 120.0
"""Seconds that a batch is held at most, so that a failing test ends."""

ANSWER_TIMEOUT_S = 20.0
"""Seconds for an answer. A question that waits for the batch gets none, on any machine."""

PATHS = (
    "/",
    "/incidents",
    "/incidents/1",
    "/incidents/1/ack",
    "/incidents/1/unacknowledge",
    "/incidents/1/silence",
    "/incidents/1/resolve",
    "/companies/acme",
    "/health",
    "/trends",
    "/trends/data?metric=errors",
    "/trends/csv?metric=errors",
    "/snapshots",
    "/snapshots/1",
    "/snapshots/1/pin",
    "/snapshots/unpin",
    "/silences/new",
    "/docs",
    "/drill?route=default",
    "/api/openapi.json",
    "/catalog",
    "/catalog/REDIS_SLOW",
    "/rules",
    "/settings",
    "/api/v1/incidents",
    "/api/v1/incidents/1",
    "/api/v1/incidents/1/explain",
    "/api/v1/incidents/1/debug",
    "/api/v1/catalog",
    "/api/v1/health",
    "/api/v1/silences",
    "/api/v1/remedies",
    "/api/v1/snapshots",
    "/api/v1/snapshots/1",
    "/api/v1/diff?before=1&after=2",
    "/api/v1/trend?metric=errors",
    "/api/v1/forecast?metric=errors&limit=1",
    "/api/v1/status",
    "/api/v1/plugins",
    "/metrics",
    "/healthz",
    "/readyz",
)

NOT_ASKED = {
    "/live",  # a stream that does not end
    "/login",  # redirects where no password is set
    "/rules/file",
    "/silences/{number}/end",
    "/remedies/{name}",
    "/api/v1/remedies/{name}",
    "/drills/{event}",
    "/incidents/{number}/merge",
    "/incidents/several/{action}",
}
"""GET routes that need what the daemon of these tests does not have."""


class Gate:
    """Holds whoever passes while it is closed."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()
        self._open.set()

    def close(self) -> None:
        self.reached.clear()
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def pass_through(self) -> None:
        if not self._open.is_set():
            self.reached.set()
            assert self._open.wait(MAX_HOLD_S), "nobody opened the gate"


def _hold_enrichment(stage: Stage, gate: Gate) -> None:
    """Before the batch's transaction begins."""
    stage.enrichment = lambda _event: gate.pass_through()


def _hold_facts(stage: Stage, gate: Gate) -> None:
    """Within the batch's transaction, as the facts for the rules are collected."""

    @hookimpl
    def firstcause_facts() -> list[SuppliedFact]:
        gate.pass_through()
        return []

    plugin = types.ModuleType("gate")
    vars(plugin).update(firstcause_facts=firstcause_facts)
    stage.app.plugins.register(plugin, "gate")


def _hold_rules(stage: Stage, gate: Gate) -> None:
    """Within the evaluation of the rules, with the rule engine in use."""
    inference = stage.app.rules.current.inference
    run_stratum = inference._run_stratum

    def run_after_gate(*args: Any) -> Any:
        gate.pass_through()
        return run_stratum(*args)

    vars(inference)["_run_stratum"] = run_after_gate


@contextmanager
def _hold_batch(client: httpx.Client, gate: Gate, code: str = "TWILIO_API_FAILURE") -> Iterator[None]:
    gate.close()
    try:
        client.post("/api/v1/events", json={"code": code}).raise_for_status()
        wait_until(gate.reached.is_set, "the batch to be held")
        yield
        assert not gate._open.is_set()
    finally:
        gate.open()


@pytest.fixture(params=[_hold_enrichment, _hold_facts, _hold_rules])
def held(
    request: pytest.FixtureRequest, store_url: str, tmp_path: Path
) -> Iterator[tuple[httpx.Client, Stage, Gate]]:
    """A daemon with an open incident and two snapshots whose next batch is held."""
    gate = Gate()
    with serve_stage(tmp_path, store_url=store_url, health={"interval": 3600.0}) as (client, stage):
        stage.app.plugins._calls.timeout = MAX_HOLD_S
        client.timeout = ANSWER_TIMEOUT_S
        wait_until(lambda: client.get("/api/v1/snapshots").json()["snapshots"], "the first snapshot")
        client.post("/api/v1/events", json={"code": "REDIS_SLOW", "tenant": "acme"}).raise_for_status()
        wait_until(lambda: client.get("/api/v1/incidents").json()["incidents"], "the incident")
        stage.readings["twilio"] = Reading(status=Status.UP, latency_ms=3.0)
        client.post("/api/v1/check").raise_for_status()
        request.param(stage, gate)
        try:
            with _hold_batch(client, gate):
                yield client, stage, gate
        finally:
            gate.open()
        wait_until(lambda: len(client.get("/api/v1/incidents").json()["incidents"]) == 2, "the batch")


def test_every_get_route_is_asked() -> None:
    page_routers = [page.router for page in vars(pages).values() if hasattr(page, "router")]
    routes = [
        route
        for router in (api.router, metrics.router, live_updates.router, *page_routers)
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    ]
    missing = {
        route.path
        for route in routes
        if not any(route.path_regex.match(path.partition("?")[0]) for path in PATHS)
    }
    assert len(routes) > len(NOT_ASKED)
    assert missing == NOT_ASKED


def test_every_question_is_answered_while_a_batch_is_held(held: tuple[httpx.Client, Stage, Gate]) -> None:
    client, stage, _gate = held
    with ThreadPoolExecutor(len(PATHS)) as pool:
        answers = dict(zip(PATHS, pool.map(lambda path: client.get(path).status_code, PATHS), strict=True))
    assert answers == dict.fromkeys(PATHS, 200)
    when = stage.time(0)
    questions: list[Callable[[], dict[str, Any]]] = [
        lambda: stage.app.incidents.explain_rule("catalogued-root", when),
        lambda: stage.app.incidents.simulate_fix("REDIS_SLOW", when),
    ]
    with ThreadPoolExecutor(len(questions)) as pool:
        asked = [pool.submit(question) for question in questions]
        assert all(answer.result(ANSWER_TIMEOUT_S) for answer in asked)


def test_rules_are_reloaded_while_a_batch_is_held(held: tuple[httpx.Client, Stage, Gate]) -> None:
    client, stage, _gate = held
    before = stage.app.rules.current
    with ThreadPoolExecutor(1) as pool:
        pool.submit(stage.app.rules.reload, stage.time(0)).result(ANSWER_TIMEOUT_S)
    assert stage.app.rules.current is not before
    assert client.get("/incidents/1").status_code == 200


def test_events_are_accepted_while_a_batch_is_held(held: tuple[httpx.Client, Stage, Gate]) -> None:
    client, _stage, _gate = held
    event = Event(id="later", time=_stage.time(0), code="REDIS_SLOW", tenant="acme")
    answer = client.post("/api/v1/events", json=event.model_dump(mode="json", exclude_defaults=True))
    assert answer.status_code == 202
