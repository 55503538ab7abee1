"""Nothing of firstcause fails quietly: each place says what is wrong, a message goes out, and both end."""

from __future__ import annotations

import contextlib
import html
import re
import resource
import socket
import sqlite3
import threading
import types
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

import firstcause_webhook
from firstcause import DeliveryError, Probe, Reading, Status, hookimpl
from firstcause.app.answers import LivenessAnswer, ReadinessAnswer
from firstcause.core.selfcheck.state import Failure
from firstcause.daemon import supervisor
from firstcause.selfcheck import store_reader
from firstcause.selfcheck.watchdog import Watchdog
from firstcause.store.inbox import EventPayload
from support.answer_types import validate_answer
from support.firstcause_process import Receiver, run_cli, run_cli_json, run_daemon, wait_until
from support.http_server import serve_stage
from support.scenario_app import Phone, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

AT_ONCE = {"thresholds": {"self_report_after": 0, "self_unready_after": 0, "self_plugin_rest": 1}}
ENTRY = "component: mine\ncatalog:\n  - {{code: MINE, title: {title}, category: DATA, severity: CRITICAL}}\n"


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "SELF_CHECK_INTERVAL_S", 0.1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


def configure(folder: Path, store_url: str, receiver: Receiver, more: str = "") -> None:
    (folder / "config.toml").write_text(
        f'[store]\nurl = "{store_url}"\n[notify]\ngroup_wait = "0s"\n'
        f'[plugins.webhook]\nurl = "{receiver.url}"\n[health]\nexpect_probes = false\n'
        f'[rules]\npaths = ["shipped", "rules"]\nthresholds = {{self_report_after = 0}}\n{more}'
    )
    (folder / "rules").mkdir(exist_ok=True)


def send(client: httpx.Client) -> httpx.Response:
    return client.post("/api/v1/events", json={"code": "A"})


def find_conditions(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """Return the conditions in `/readyz` by code."""
    ready = client.get("/readyz")
    answer = ready.json()
    validate_answer(ReadinessAnswer, answer)
    assert (ready.status_code == 503) == (answer["status"] == "unready")
    return {condition["code"]: condition for condition in answer["conditions"]}


def assert_said_everywhere(client: httpx.Client, code: str) -> None:
    """Status, metrics and the page say what `/readyz` says."""
    condition = find_conditions(client)[code]
    in_status = {one["code"]: one for one in client.get("/api/v1/status").json()["conditions"]}
    assert in_status[code]["fix"] == condition["fix"]
    metrics = client.get("/metrics").text
    assert re.search(
        rf'^firstcause_condition{{about="[^"]*",code="{code}",level="\w+"}} 1.0$', metrics, re.MULTILINE
    )
    page = html.unescape(client.get("/").text)
    assert condition["summary"] in page
    assert condition["fix"] in page


def assert_gone_everywhere(client: httpx.Client, code: str) -> None:
    assert code not in find_conditions(client)
    assert code not in {one["code"] for one in client.get("/api/v1/status").json()["conditions"]}
    assert f'code="{code}"' not in client.get("/metrics").text


def wait_for_message(receiver: Receiver, code: str, reason: str = "first") -> dict[str, Any]:
    def find() -> dict[str, Any] | None:
        wanted = (code, reason)
        return next((one for one in receiver.received if (one["code"], one["reason"]) == wanted), None)

    found: dict[str, Any] = wait_until(find, f"the message {reason} of {code}")
    return found


def test_rules_listeners_and_plugins_out_of_order_are_said_and_over_after_the_fix(
    tmp_path: Path, store_url: str, receiver: Receiver
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"[plugins.syslog]\ntcp = {taken.getsockname()[1]}\n"
        configure(tmp_path, store_url, receiver, f"{listen}[plugins.host]\nwrong_key = 1\n")
        with run_daemon(tmp_path) as running, httpx.Client(base_url=running.url, timeout=30) as client:
            port = running.url.rpartition(":")[2]
            configure(
                tmp_path,
                store_url,
                receiver,
                f"{listen}[plugins.host]\nwrong_key = 1\n[web]\nport = {port}\n",
            )
            (tmp_path / "rules" / "mine.yaml").write_text(ENTRY.format(title="[broken"))
            codes = {f"FIRSTCAUSE_{name}" for name in ("RULES_REJECTED", "LISTENER_DOWN", "PLUGIN_FAILING")}
            wait_until(lambda: codes <= find_conditions(client).keys(), "the conditions")
            for code in codes:
                assert_said_everywhere(client, code)
                wait_for_message(receiver, code)
            assert client.get("/readyz").status_code == 200, "errors are handled all the same"
            assert "mine.yaml" not in client.get("/readyz").text, "no path for everybody"
            shown = run_cli("status", folder=tmp_path, ok=1).stdout
            for said in (
                *codes,
                "mine.yaml:3:",
                "wrong_key",
                "fix    Free its port",
                "Address already in use",
            ):
                assert said in shown
            (tmp_path / "rules" / "mine.yaml").write_text(ENTRY.format(title="fixed"))
            by_check = {one["code"] for one in run_cli_json("check", folder=tmp_path, ok=1)["conditions"]}
            assert {"FIRSTCAUSE_LISTENER_DOWN", "FIRSTCAUSE_PLUGIN_FAILING"} <= by_check, "it asks the daemon"
            taken.close()
            for code in codes - {"FIRSTCAUSE_PLUGIN_FAILING"}:
                wait_for_message(receiver, code, "resolved")
                assert_gone_everywhere(client, code)
            assert running.stop() == 0
    configure(tmp_path, store_url, receiver, listen)
    with run_daemon(tmp_path) as running, httpx.Client(base_url=running.url, timeout=30) as client:
        wait_for_message(receiver, "FIRSTCAUSE_PLUGIN_FAILING", "resolved")
        assert find_conditions(client) == {}


@contextlib.contextmanager
def make_sqlite_unwritable(pid: int) -> Iterator[None]:
    """No file of the process may grow, as on a full disk."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def make_postgres_unwritable(url: str) -> Iterator[None]:
    """The server lets nobody into the database."""
    server, _, name = url.rpartition("/")

    def switch(state: str) -> None:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as conn:
            conn.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {state}')
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    switch("false")
    try:
        yield
    finally:
        switch("true")


def test_a_store_that_cannot_be_written_is_said_without_the_store(
    tmp_path: Path, store_url: str, receiver: Receiver
) -> None:
    code = "FIRSTCAUSE_STORE_UNWRITABLE"
    configure(tmp_path, store_url, receiver)
    with run_daemon(tmp_path) as running, httpx.Client(base_url=running.url, timeout=60) as client:
        assert send(client).status_code == 202
        port, is_sqlite = running.url.rpartition(":")[2], store_url.startswith("sqlite")
        configure(tmp_path, store_url, receiver, f"[web]\nport = {port}\n")
        pid = running.process.pid
        with make_sqlite_unwritable(pid) if is_sqlite else make_postgres_unwritable(store_url):
            wait_until(lambda: send(client).status_code == 503, "a refusal")
            wait_until(lambda: code in find_conditions(client), "the condition")
            message = wait_for_message(receiver, code)
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").status_code == 200
            assert f'code="{code}",level="unready"' in client.get("/metrics").text
            shown = run_cli("status", folder=tmp_path, ok=1).stdout
            assert "unready: The store cannot be written" in shown
            assert "fix    Make room on the store's disk" in shown
            if is_sqlite:
                assert_said_everywhere(client, code)
                assert "firstcause does not handle errors now" in client.get("/").text
            else:
                assert "its store does not answer" in shown
        assert (message["priority"], message["incident_id"]) == ("P0", "firstcause")
        assert "Fix: Make room on the store's disk" in message["body"]
        wait_for_message(receiver, code, "resolved")
        wait_until(lambda: client.get("/readyz").status_code == 200, "the end")
        assert_gone_everywhere(client, code)
        assert send(client).status_code == 202


@contextlib.contextmanager
def hold_writers(store_url: str) -> Iterator[None]:
    """Another program keeps everybody from writing, and nobody hears why."""
    if store_url.startswith("sqlite"):
        path = store_url.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
            conn.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(store_url) as conn:
            conn.execute("LOCK TABLE audit IN ACCESS EXCLUSIVE MODE")
            yield


def test_a_store_that_does_not_answer_holds_nothing_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_reader, "READ_TIMEOUT_S", 0.3)
    app, now = stage.app, datetime.now(UTC)
    app.self_check.loops.register("triage", 300)  # as in the daemon, so that a question asks memory only

    def describe() -> list[str]:
        return [one.detail for one in app.self_check.find_conditions(now) if one.part == "store"]

    app.self_check.refresh(now)
    assert describe() == []
    app.database.write_failures.record("as a refused event does")
    with hold_writers(app.settings.store_url):
        app.self_check.refresh(now)
        assert "did not answer within 0.3 s" in describe()[0]
        app.self_check.refresh(now)
        assert "does not answer" in describe()[0], "it is not asked again while the question hangs"

    def recover() -> bool:
        app.self_check.refresh(now)
        return describe() == []

    wait_until(recover, "the end")


def rename_table(store_url: str, before: str, after: str) -> None:
    statement = f"ALTER TABLE {before} RENAME TO {after}"
    if store_url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(store_url.removeprefix("sqlite:///"), timeout=60)) as conn:
            conn.execute(statement)
    else:
        with psycopg.connect(store_url, autocommit=True) as conn:
            conn.execute(statement)


def test_triage_that_fails_is_said_without_triage(tmp_path: Path, store_url: str, receiver: Receiver) -> None:
    code = "FIRSTCAUSE_TRIAGE_FAILING"
    tables = {"firstcause_webhook": {"url": receiver.url}}
    notify = {"group_wait": 0, "routes": [{"notifiers": ["webhook"]}]}
    served = serve_stage(
        tmp_path, firstcause_webhook, tables=tables, store_url=store_url, notify=notify, rules=AT_ONCE
    )
    with served as (client, _stage):
        rename_table(store_url, "release", "release_gone")
        client.post("/api/v1/events", json={"code": "A"})
        wait_until(lambda: code in find_conditions(client), "the condition")
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200, "the process lives; a restart would not help"
        assert "release" in wait_for_message(receiver, code)["body"]
        rename_table(store_url, "release_gone", "release")
        wait_for_message(receiver, code, "resolved")
        assert_gone_everywhere(client, code)
        wait_until(
            lambda: client.get("/api/v1/incidents").json()["incidents"], "the incident of the kept event"
        )


def test_a_notifier_that_fails_and_a_route_that_reaches_nobody(
    tmp_path: Path, store_url: str, receiver: Receiver
) -> None:
    tables = {"firstcause_webhook": {"url": receiver.url}}
    routes = [
        {"name": "on call", "notifiers": ["phone"], "continue": True},
        {"name": "team", "notifiers": ["webhook"], "components": ["firstcause"]},
    ]
    notify = {"group_wait": 0, "retry_attempts": 1, "routes": routes}
    served = serve_stage(
        tmp_path, firstcause_webhook, tables=tables, store_url=store_url, notify=notify, rules=AT_ONCE
    )
    with served as (client, stage):
        phone = stage.phones[0]
        phone.failing += [DeliveryError("the password expired", permanent=True)] * 50
        client.post("/api/v1/events", json={"code": "A"})
        codes = {"FIRSTCAUSE_NOTIFIER_FAILING", "FIRSTCAUSE_ROUTE_UNREACHABLE"}
        wait_until(lambda: codes <= find_conditions(client).keys(), "the conditions")
        for code in codes:
            assert_said_everywhere(client, code)
        message = wait_for_message(receiver, "FIRSTCAUSE_ROUTE_UNREACHABLE")
        assert "The route on call reaches nobody" in message["title"]
        by_pipeline = wait_for_message(receiver, "FIRSTCAUSE_NOTIFIER_FAILING")
        assert "the password expired" in by_pipeline["body"]
        assert int(by_pipeline["incident_id"]) > 0
        phone.failing.clear()
        stage.app.notifications.send_drill("FIRSTCAUSE_DRILL", "on call", datetime.now(UTC))
        for code in codes:
            wait_until(lambda code=code: code not in find_conditions(client), "the end")  # type: ignore[misc]
            assert_gone_everywhere(client, code)
        wait_for_message(receiver, "FIRSTCAUSE_ROUTE_UNREACHABLE", "resolved")


def build_probe_plugin(check: Callable[[], Reading]) -> types.ModuleType:
    @hookimpl
    def firstcause_probes() -> list[Probe]:
        return [Probe("slow", "slow", check, "SLOW_DOWN", timeout=0.2)]

    module = types.ModuleType("slow_probe")
    vars(module)["firstcause_probes"] = firstcause_probes
    return module


def test_a_probe_that_hangs_a_plugin_that_raises_and_events_set_aside(tmp_path: Path, store_url: str) -> None:
    release = threading.Event()

    def hang() -> Reading:
        release.wait(120)
        return Reading(status=Status.UP)

    notify = {"group_wait": 0, "routes": [{"notifiers": ["phone"]}]}
    served = serve_stage(
        tmp_path, build_probe_plugin(hang), store_url=store_url, notify=notify, rules=AT_ONCE
    )
    with served as (client, stage):
        wait_until(lambda: "FIRSTCAUSE_PROBE_HANGING" in find_conditions(client), "the hanging probe")

        def fail(_event: object) -> None:
            raise ValueError("the plugin stumbles")

        stage.enrichment = fail
        client.post("/api/v1/events", json={"code": "A"})
        wait_until(lambda: "FIRSTCAUSE_PLUGIN_FAILING" in find_conditions(client), "the raising plugin")
        stage.enrichment = lambda _event: None
        unreadable = EventPayload(b'{"code": ', 1, verbatim=True)
        stage.app.database.inbox.store([unreadable], datetime.now(UTC))
        codes = {f"FIRSTCAUSE_{name}" for name in ("PROBE_HANGING", "EVENTS_SET_ASIDE")}
        wait_until(lambda: codes <= find_conditions(client).keys(), "the conditions")
        for code in codes:
            assert_said_everywhere(client, code)

        def list_messages() -> set[tuple[str, str]]:
            return {(one.code, one.reason.value) for one in stage.phones[0].received}

        codes |= {"FIRSTCAUSE_PLUGIN_FAILING"}
        wait_until(lambda: {(code, "first") for code in codes} <= list_messages(), "the messages")
        release.set()
        ended = codes - {"FIRSTCAUSE_EVENTS_SET_ASIDE"}
        wait_until(lambda: {(code, "resolved") for code in ended} <= list_messages(), "the ends")
        for code in ended:
            assert_gone_everywhere(client, code)
        assert "FIRSTCAUSE_EVENTS_SET_ASIDE" in find_conditions(client), "for an hour after the last"


def test_events_that_an_earlier_process_set_aside_still_count(stage: Stage) -> None:
    now = datetime.now(UTC)
    stage.app.database.inbox.store([EventPayload(b"[1]", 1, verbatim=True)], now)
    stage.app.pipeline.triage_all(now)
    stage.restart()
    (condition,) = [
        one for one in stage.app.self_check.find_conditions(now) if one.code == "FIRSTCAUSE_EVENTS_SET_ASIDE"
    ]
    assert condition.summary.startswith("1 event was set aside")
    later = now + timedelta(hours=2)
    assert "FIRSTCAUSE_EVENTS_SET_ASIDE" not in {
        one.code for one in stage.app.self_check.find_conditions(later)
    }


def test_healthz_is_503_if_a_loop_hangs_or_has_ended(tmp_path: Path) -> None:
    with serve_stage(tmp_path) as (client, stage):
        answer = client.get("/healthz")
        validate_answer(LivenessAnswer, answer.json())
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        release, hangs = threading.Event(), threading.Event()

        def hang(_event: object) -> None:
            hangs.set()
            release.wait(60)

        stage.app.plugins._calls.timeout = 60.0
        stage.enrichment = hang
        stage.app.self_check.loops._loops["triage"].max_silence_s = 0.5
        client.post("/api/v1/events", json={"code": "A"})
        assert hangs.wait(30)
        wait_until(lambda: client.get("/healthz").status_code == 503, "the hanging loop")
        assert client.get("/healthz").json() == {"status": "stalled", "loops": ["triage"]}
        assert client.get("/readyz").status_code == 503
        stage.app.self_check.loops._loops["triage"].max_silence_s = 30
        release.set()
        wait_until(lambda: client.get("/healthz").status_code == 200, "the end")


def test_check_fails_where_a_plugin_did_not_load_its_checks(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[plugins.http.checks.intranet]\nurl = "https://intranet.example.org/"\nwrong = 1\n[web]\nport = 1\n'
    )
    shown = run_cli("check", folder=tmp_path, ok=1).stdout
    assert "no probes are configured" in shown
    assert "degraded: The plugin http has a problem; what it offers may be missing." in shown
    assert "checks.intranet.wrong" in shown
    assert "fix    Correct [plugins.http]" in shown


def test_the_watchdog_message_comes_once_a_day_and_a_restart_does_not_repeat_it(
    stages: Callable[..., Stage],
) -> None:
    phone = Phone("phone")
    routes = [{"name": "other", "notifiers": ["nobody"]}, {"name": "on call", "notifiers": ["phone"]}]
    notify = {"routes": routes, "watchdog": {"at": "09:00", "timezone": "Europe/Berlin", "route": "on call"}}
    stage = stages(phone, notify=notify)
    stage.report(0, "TWILIO_API_FAILURE")
    due = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)

    def run(at: datetime) -> int:
        watchdog = stage.app.watchdog
        assert isinstance(watchdog, Watchdog)
        watchdog.run(at)
        return len(phone.received)

    assert run(due - timedelta(seconds=1)) == 0
    phone.failing.append(DeliveryError("busy"))
    assert run(due) == 0
    assert run(due + timedelta(seconds=30)) == 0, "it waits a minute"
    assert run(due + timedelta(seconds=61)) == 1
    stage.restart()
    assert run(due + timedelta(minutes=5)) == 1
    assert run(due + timedelta(days=1, minutes=2)) == 2
    said = phone.received[0].text
    assert said.startswith("firstcause is alive: 1 open (1 P0), last event 5 h 1 min ago")


def test_what_is_reported_again_and_again_is_one_event_in_five_minutes(stage: Stage) -> None:
    app, now = stage.app, datetime.now(UTC) + timedelta(hours=1)
    app.self_check.store_excess = Failure(now - timedelta(hours=1), "3 GiB too many")

    def count(seconds: float) -> tuple[int, int]:
        at = now + timedelta(seconds=seconds)
        app.self_reporter.run(at)
        app.pipeline.triage_all(at)
        events = [row["event"] for row in stage.rows("event")]
        ours = [event for event in events if event["code"] == "FIRSTCAUSE_STORE_OVER_LIMIT"]
        return len(ours), sum(event.get("resolved", False) for event in ours)

    assert [count(0), count(5), count(299)] == [(1, 0)] * 3
    assert count(301) == (2, 0)
    app.self_check.store_excess = None
    assert [count(305), count(310)] == [(3, 1)] * 2
