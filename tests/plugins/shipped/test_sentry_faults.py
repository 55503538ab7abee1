"""What tells Sentry's events apart, and what of them is kept: from the real SDK to alerts."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import firstcause_sentry
from firstcause import DEFAULT_GROUPING, Event, Severity
from firstcause.core.catalog import Catalog
from firstcause.core.grouping.fingerprint import identify
from firstcause_sentry.config import Config
from firstcause_sentry.parser import Parser
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from support.scenario_app import Stage

APPLICATION = """
import logging, sys
import sentry_sdk
from sentry_sdk.crons import capture_checkin

sentry_sdk.init(sys.argv[1], environment="production", attach_stacktrace=True)
sentry_sdk.set_tag("service", "checkout")

def fail(name, *fingerprint):
    with sentry_sdk.new_scope() as scope:
        scope.fingerprint = list(fingerprint) or None
        try:
            {}[name]
        except KeyError:
            logging.getLogger("shop").exception("cannot load %s", name)

def lock():
    with sentry_sdk.new_scope() as scope:
        scope.fingerprint = ["sql-deadlock"]
        scope.capture_message("deadlock found", "fatal")

def fetch():
    raise TimeoutError("fetch took too long")

def parse():
    raise ValueError("no number")

def run(*tasks):
    errors = []
    for task in tasks:
        try:
            task()
        except Exception as error:
            errors.append(error)
    try:
        raise ExceptionGroup("unhandled errors in a TaskGroup", errors)
    except ExceptionGroup:
        sentry_sdk.capture_exception()

fail("orders", "{{ default }}", "GET /orders")
fail("users", "{{ default }}", "GET /users")
fail("locks", "sql-deadlock")
lock()
for tasks in ((fetch, parse), (parse, fetch), (parse,)):
    run(*tasks)
sentry_sdk.capture_event({"level": "error", "extra": {"job": "sync"}})
capture_checkin(monitor_slug="nightly", status="error")
sentry_sdk.flush(5)
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[httpx.Client, Stage]]:
    with serve_stage(tmp_path, firstcause_sentry) as both:
        yield both


def read(sent: dict[str, Any], **headers: str) -> Event:
    (event,) = Parser(Config()).parse_store_event(json.dumps(sent).encode(), headers).events
    return event


def fault(sent: dict[str, Any]) -> str:
    return identify(read(sent), Catalog([], lambda _: None)).fault


def frames(*names: str) -> dict[str, Any]:
    return {
        "frames": [
            {"function": name, "filename": f"app/{name}.py", "lineno": 3, "in_app": True} for name in names
        ]
    }


def test_the_real_sdk_tells_its_faults_apart(served: tuple[httpx.Client, Stage], tmp_path: Path) -> None:
    client, stage = served
    (tmp_path / "shop.py").write_text(APPLICATION)
    dsn = f"http://public@127.0.0.1:{client.base_url.port}/42"
    subprocess.run([sys.executable, str(tmp_path / "shop.py"), dsn], check=True, timeout=60, cwd=tmp_path)
    found = wait_until(lambda: len(stage.rows("event")) >= 9 and stage.rows("event"), "nine errors")
    events = [Event.model_validate(row["event"]) for row in found]
    faults: dict[str, list[str]] = {}
    for event in events:
        identified = identify(event, Catalog([], lambda _: None))
        faults.setdefault(identified.fault, []).append(event.message or "")
    groups = sorted(sorted(messages) for messages in faults.values())
    assert groups == [
        ["ExceptionGroup: unhandled errors in a TaskGroup"],
        ["ExceptionGroup: unhandled errors in a TaskGroup"] * 2,
        ["KeyError: 'locks'", "deadlock found"],
        ["KeyError: 'orders'"],
        ["KeyError: 'users'"],
        ["an error without a message"],
        ["the job nightly failed"],
    ]
    by_message = {event.message: event for event in events}
    assert by_message["KeyError: 'orders'"].details["log"] == "cannot load orders"
    lock = by_message["deadlock found"]
    assert (lock.severity, lock.source and lock.source.function) == (Severity.CRITICAL, "lock")
    assert 'in lock\n    scope.capture_message("deadlock found", "fatal")' in (lock.stack or "")
    job = by_message["the job nightly failed"]
    assert (job.code, job.labels) == (
        "CRON_NIGHTLY_FAILED",
        {"monitor": "nightly", "environment": "production"},
    )
    assert by_message["an error without a message"].details["extra"]["job"] == "sync"


@pytest.mark.parametrize(
    ("fingerprint", "grouping"),
    [
        (["sql-deadlock"], ("sql-deadlock",)),
        (["{{ default }}", "GET /orders"], (DEFAULT_GROUPING, "GET /orders")),
        (["{{default}}", "{{ tags.team }}", 7], (DEFAULT_GROUPING, "blue", "7")),
        (["{{ error.type }} in {{transaction}}"], ("KeyError in /pay",)),
        (["{{ unknown }}", None, {}], ("{{ unknown }}",)),
        ("alone", ("alone",)),
        (["{{ default }}"], ()),
        ([], ()),
        (None, ()),
        ({"a": 1}, ()),
    ],
)
def test_a_fingerprint_and_its_variables(fingerprint: object, grouping: tuple[str, ...]) -> None:
    sent = {
        "exception": [{"type": "KeyError", "value": "'x'"}],
        "transaction": "/pay",
        "tags": {"team": "blue"},
        "fingerprint": fingerprint,
    }
    assert read(sent).grouping == grouping


@pytest.mark.parametrize(
    "sent",
    [
        {"message": "Task failed", "stacktrace": frames("run", "execute")},
        {"message": "Task failed", "sentry.interfaces.Stacktrace": frames("run", "execute")},
        {"message": "x", "threads": {"values": [{"id": 1, "stacktrace": frames("run", "execute")}]}},
        {
            "message": "x",
            "threads": [
                {"id": 1, "stacktrace": frames("idle")},
                {"id": 2, "crashed": True, "stacktrace": frames("run", "execute")},
            ],
        },
    ],
)
def test_a_stack_without_an_exception(sent: dict[str, Any]) -> None:
    event = read(sent)
    assert event.source is not None
    assert event.source.function == "execute"
    assert event.stack == ('  File "app/run.py", line 3, in run\n  File "app/execute.py", line 3, in execute')


def test_the_stack_of_an_exception_may_be_in_its_thread() -> None:
    threads = [
        {"id": 7, "crashed": True, "stacktrace": frames("other")},
        {"id": 8, "stacktrace": frames("sync")},
    ]
    event = read({"exception": {"type": "NSError", "value": "no", "thread_id": 8}, "threads": threads})
    assert event.stack == '  File "app/sync.py", line 3, in sync\nNSError: no'


def test_different_messages_logged_by_one_helper_are_different_faults() -> None:
    sent = [{"message": text, "stacktrace": frames("log_error")} for text in ("disk full", "no route")]
    assert fault(sent[0]) != fault(sent[1])
    numbers = [{"message": f"order {n} lost", "stacktrace": frames("log_error")} for n in (7, 8)]
    assert fault(numbers[0]) == fault(numbers[1])


def group_of(members: list[str], **changes: Any) -> dict[str, Any]:
    """An ExceptionGroup as SDKs write it: the group last, its members in the order in which they failed."""
    values = [
        {
            "type": f"{name.title()}Error",
            "stacktrace": frames(name),
            "mechanism": {
                "exception_id": index + 1, "parent_id": 0, "source": f"exceptions[{index}]",
            },
        }
        for index, name in enumerate(members)
    ]  # fmt: skip
    outer = {
        "type": "ExceptionGroup",
        "stacktrace": frames("run"),
        "mechanism": {"exception_id": 0, "is_exception_group": True},
    }
    return {"exception": {"values": [*reversed(values), outer]}, **changes}


@given(st.lists(st.sampled_from(["fetch", "parse", "save", "send"]), min_size=1, max_size=4, unique=True))
def test_the_order_of_a_groups_members_is_no_difference(members: list[str]) -> None:
    assert len({fault(group_of(list(order))) for order in permutations(members)}) == 1


def test_other_members_are_another_fault_and_all_are_shown() -> None:
    both = group_of(["fetch", "parse"])
    assert len({fault(both), fault(group_of(["fetch"])), fault(group_of(["parse"]))}) == 3
    stack = read(both).stack or ""
    assert "---------------- 2 ----------------" in stack
    assert {"fetch", "parse", "run"} <= {line.rpartition(" in ")[2] for line in stack.split("\n")}


def test_the_cause_of_a_group_stays_its_cause() -> None:
    sent = group_of(["fetch"])
    cause = {
        "type": "OSError",
        "stacktrace": frames("open"),
        "mechanism": {"exception_id": 9, "parent_id": 0, "source": "__cause__"},
    }
    sent["exception"]["values"].insert(0, cause)
    stack = read(sent).stack or ""
    before, after = stack.split("\n\nthen:\n\n")
    assert before.endswith("OSError")
    assert "FetchError" in after


def test_the_environment_is_a_tag() -> None:
    assert read({"message": "x", "environment": "staging"}).tags == {"environment": "staging"}
    assert read({"message": "x", "environment": "b", "tags": {"environment": "a"}}).tags == {
        "environment": "a"
    }


def test_an_event_of_a_transaction_is_none() -> None:
    parser = Parser(Config())
    body = b'{}\n{"type":"event"}\n{"type":"transaction","transaction":"/pay","level":"info"}'
    assert parser.parse_envelope(body, {}).ignored == {"transaction": 1}
    assert parser.parse_store_event(b'{"type": "transaction", "spans": []}', {}).ignored == {"transaction": 1}


def test_what_stands_before_a_broken_item_is_taken(served: tuple[httpx.Client, Stage]) -> None:
    client, stage = served
    body = b'{}\n{"type":"event"}\n{"message":"first"}\n{"type":"event","length":999}\n{"message":"second"}'
    answer = client.post("/api/1/envelope/", content=body)
    assert answer.status_code == 200
    assert answer.json()["rejected"] == [
        {"index": 1, "error": "item 1 claims 999 bytes, but only 20 are left"}
    ]
    assert [row["event"]["message"] for row in stage.accepted()] == ["first"]
    assert client.get("/api/v1/status").json()["intake"]["rejected"] == {"sentry": {"malformed": 1}}


@pytest.mark.parametrize("path", ["/api/1/cron/nightly/{key}/", "/api/1/cron/nightly/{key}"])
def test_a_job_checks_in_with_one_request(tmp_path: Path, path: str) -> None:
    key = "0123456789abcdef0123456789abcdef"
    intake = {"tokens": {"jobs": {"token": key}}}
    with serve_stage(tmp_path, firstcause_sentry, intake=intake) as (client, stage):
        url = path.format(key=key)
        assert client.get(url, params={"status": "in_progress"}).status_code == 200
        assert client.get(url, params={"status": "error"}).status_code == 200
        incident = wait_until(lambda: stage.incidents("open"), "an incident")[0]
        assert incident["root"]["code"] == "CRON_NIGHTLY_FAILED"
        assert client.get(url.replace(key, "wrong"), params={"status": "ok"}).status_code == 403
        staging = {"status": "ok", "environment": "staging"}
        assert client.post(url, json=staging).status_code == 200
        assert client.post(url, json={"status": "fine"}).status_code == 422
        assert stage.incidents("open")
        short = f"/api/1/cron/nightly/?sentry_key={key}&status=ok"
        assert client.get(short).status_code == 200
        wait_until(lambda: stage.incidents("resolved"), "its end")
        assert client.put(url).status_code == 405


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from(["A", "B", None]),
                "stacktrace": st.just(frames("f")) | st.none() | st.integers(),
                "thread_id": st.integers(0, 2) | st.lists(st.integers(), max_size=1),
                "mechanism": st.none()
                | st.fixed_dictionaries(
                    {},
                    optional={
                        "exception_id": st.integers(0, 3) | st.lists(st.none(), max_size=1),
                        "parent_id": st.integers(0, 3) | st.text(max_size=1),
                        "source": st.sampled_from(["exceptions[0]", "__cause__", 7]),
                        "is_exception_group": st.booleans(),
                    },
                ),
            },
        ),
        max_size=6,
    ),
    st.none()
    | st.lists(st.fixed_dictionaries({"id": st.integers(0, 2), "stacktrace": st.just(frames("g"))})),
)
def test_no_mechanism_makes_it_fail(exceptions: list[dict[str, Any]], threads: object) -> None:
    event = read({"exception": exceptions, "threads": threads, "level": "error"})
    assert event.message
    if any(isinstance(exception.get("stacktrace"), dict) for exception in exceptions):
        assert 'File "app/f.py"' in (event.stack or "")


def test_times_without_a_sense_are_now() -> None:
    for value in (None, "soon", 1e300, True):
        assert abs((read({"message": "x", "timestamp": value}).time - datetime.now(UTC)).total_seconds()) < 60


def test_the_time_of_sending_corrects_times_by_the_same_clock() -> None:
    event = {"message": "x", "timestamp": "2026-11-25T11:00:00Z"}
    items = [
        ("event", event),
        ("event", {"message": "no time"}),
        ("check_in", {"monitor_slug": "a", "status": "error"}),
    ]
    lines = ['{"sent_at": "2026-11-25T11:00:05Z"}']
    for kind, payload in items:
        lines += [json.dumps({"type": kind}), json.dumps(payload)]
    events = Parser(Config()).parse_envelope("\n".join(lines).encode(), {}).events
    sent_at = datetime(2026, 11, 25, 11, 0, 5, tzinfo=UTC)
    assert [event.sent_at for event in events] == [sent_at, None, None], "our own clock gave the other times"
    assert events[2].announces_end
