"""ack and silence, as a person on call uses them; the daemon does by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.firstcause_process import run_cli, run_cli_json

if TYPE_CHECKING:
    from pathlib import Path


def test_an_hour_on_call(tmp_path: Path) -> None:
    run_cli("report", "SMS_DELIVERY_FAILURE", "--tenant", "acme", folder=tmp_path)
    assert (
        run_cli("ack", "1", "--by", "anna", folder=tmp_path).stdout == "incident 1 is acknowledged by anna\n"
    )
    assert run_cli_json("incident", "1", folder=tmp_path)["acknowledged_by"] == "anna"
    assert "is no longer acknowledged" in run_cli("ack", "1", "--undo", folder=tmp_path).stdout
    made = run_cli_json(
        "silence", "add", "--incident", "1", "--for", "2h", "--comment", "known", folder=tmp_path
    )
    assert made["matchers"] == ['code="SMS_DELIVERY_FAILURE"', 'tenant="acme"']
    listed = run_cli("silence", "list", folder=tmp_path).stdout
    assert 'code="SMS_DELIVERY_FAILURE" tenant="acme"' in listed
    (found,) = run_cli_json("silence", "list", folder=tmp_path)["silences"]
    assert (found["state"], found["incidents"], found["comment"]) == ("active", ["1"], "known")
    assert run_cli("silence", "end", "1", folder=tmp_path).stdout == "silence 1 has ended\n"
    assert run_cli_json("silence", "list", folder=tmp_path) == {"silences": []}


def test_a_person_knows_better(tmp_path: Path) -> None:
    for code in ("REDIS_SLOW", "COMPANY_DATABASE_EMPTY"):
        run_cli("report", code, folder=tmp_path)
    run_cli("merge", "2", "1", "--by", "anna", "--reason", "one deployment", folder=tmp_path)
    (merged,) = run_cli_json("incidents", "--status", "open", folder=tmp_path)["incidents"]
    assert merged["root"]["code"] == "REDIS_SLOW"
    assert "cascade" in (shown := run_cli("explain", "1", folder=tmp_path).stdout)
    assert "manual override" in shown
    assert "anna: one deployment" in shown
    effect = next(each["id"] for each in merged["alerts"] if each["role"] == "cascade")
    run_cli("split", "1", effect, folder=tmp_path)
    assert len(run_cli_json("incidents", "--status", "open", folder=tmp_path)["incidents"]) == 2


def test_wrong_calls_are_one_clear_line(tmp_path: Path) -> None:
    for call, says in (
        (("silence", "add"), "MATCHERs or --incident"),
        (("silence", "add", "code"), "is not a matcher"),
        (("silence", "add", "code=X", "--for", "soon"), "is not a duration"),
        (("silence", "add", "code=X", "--start", "soon"), "is not a time"),
        (("silence", "end", "7"), "no silence '7'"),
        (("ack", "7"), "no incident '7'"),
    ):
        assert says in run_cli(*call, folder=tmp_path, ok=2).stderr, call
