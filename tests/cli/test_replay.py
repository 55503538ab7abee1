"""replay: recorded events in, incidents out, at the times of the events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support.firstcause_process import run_cli, run_cli_json

if TYPE_CHECKING:
    from pathlib import Path


def _event(minute: float, code: str, **more: Any) -> str:
    time = f"2026-11-20T03:{int(minute):02}:{round(minute % 1 * 60):02}Z"
    return json.dumps({"code": code, "time": time, **more})


STORM = [
    _event(0.5, "TWILIO_API_FAILURE"),
    _event(0, "SMS_DELIVERY_FAILURE", tenant="acme"),
    "not json",
    _event(0.2, "TWILIO_GREETING_FAILURE", tenant="bolt"),
    _event(9, "TWILIO_API_FAILURE", resolved=True),
    '{"tenant": "acme"}',
]


def test_incidents_come_of_recorded_events_at_their_own_times(tmp_path: Path) -> None:
    (tmp_path / "storm.jsonl").write_text("\n".join(STORM))
    done = run_cli("replay", "storm.jsonl", folder=tmp_path, ok=2)
    (incident,) = map(json.loads, done.stdout.splitlines())
    assert (incident["root"]["code"], incident["status"]) == ("TWILIO_API_FAILURE", "resolved")
    assert (incident["opened_at"], incident["resolved_at"]) == (
        "2026-11-20T03:00:00.000Z",
        "2026-11-20T03:09:00.000Z",
    )
    said = [(each["reason"], each["at"]) for each in incident["notifications"]]
    assert said == [("first", "2026-11-20T03:01:00.000Z"), ("resolved", "2026-11-20T03:09:00.000Z")]
    assert incident["impact"]["companies"] == ["acme", "bolt"]
    assert "storm.jsonl:3: the body is not JSON" in done.stderr
    assert "storm.jsonl:6: " in done.stderr
    assert "4 events, 1 incident, 2 messages" in done.stderr
    assert run_cli_json("incidents", folder=tmp_path)["incidents"] == [], "nothing of it is kept"


def test_it_is_kept_where_a_store_is_named_and_what_is_there_stays(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'replayed.db'}"
    (tmp_path / "one.jsonl").write_text(_event(0, "REDIS_SLOW"))
    (tmp_path / "two.jsonl").write_text(_event(5, "SMS_DELIVERY_FAILURE"))
    run_cli("replay", "one.jsonl", "--store", store, folder=tmp_path)
    run_cli("replay", "two.jsonl", "--store", store, folder=tmp_path)
    (tmp_path / "config.toml").write_text(f'[store]\nurl = "{store}"\n')
    listed = run_cli_json("incidents", folder=tmp_path)["incidents"]
    assert [one["root"]["code"] for one in listed] == ["SMS_DELIVERY_FAILURE", "REDIS_SLOW"]


def test_messages_that_are_still_to_be_sent_are_never_taken(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'live.db'}"
    (tmp_path / "config.toml").write_text(f'[store]\nurl = "{store}"\n')
    run_cli("report", "REDIS_SLOW", folder=tmp_path)
    (tmp_path / "one.jsonl").write_text(_event(0, "SMS_DELIVERY_FAILURE"))
    done = run_cli("replay", "one.jsonl", "--store", store, folder=tmp_path, ok=1)
    assert "the store still has 1 messages to send" in done.stderr
    assert [one["root"]["code"] for one in run_cli_json("incidents", folder=tmp_path)["incidents"]] == [
        "REDIS_SLOW"
    ]


def test_what_nobody_reports_any_more_ends_as_it_would_have(tmp_path: Path) -> None:
    days = [json.dumps({"code": "REDIS_SLOW", "time": f"2026-11-{day}T00:00:00Z"}) for day in ("01", "11")]
    (tmp_path / "days.jsonl").write_text("\n".join(days))
    done = run_cli("replay", "days.jsonl", folder=tmp_path)
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["resolved", "open"]


def test_wrong_calls_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(_event(0, "REDIS_SLOW"))
    (tmp_path / "empty.jsonl").write_text("")
    assert run_cli("replay", "empty.jsonl", folder=tmp_path).stdout == ""
    assert "No such file" in run_cli("replay", "nothing.jsonl", folder=tmp_path, ok=2).stderr
    wrong = run_cli("replay", "one.jsonl", "--store", "nowhere", folder=tmp_path, ok=1)
    assert len(wrong.stderr.splitlines()) == 1
