"""drill, as a person runs it to see whether the phone rings; with a daemon and without."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from support.firstcause_process import run_cli, run_cli_json, run_daemon

if TYPE_CHECKING:
    from pathlib import Path

ROUTES = """
[[notify.routes]]
name = "on call"
priorities = ["P0"]
notifiers = ["webhook", "console"]
[[notify.routes]]
name = "lead"
notifiers = ["webhook"]
escalation_only = true
[plugins.webhook]
url = "http://127.0.0.1:9/nobody-listens"
"""


def test_without_a_daemon_it_is_sent_and_the_command_says_that_none_runs(tmp_path: Path) -> None:
    said = run_cli("drill", folder=tmp_path).stdout
    assert "  console: sent\nroute default: sent\nno daemon runs on this store" in said
    assert "(drill) FIRSTCAUSE_DRILL: A drill of firstcause" in run_cli("incidents", folder=tmp_path).stdout
    assert run_cli_json("incidents", "--status", "open", folder=tmp_path)["incidents"] == []


def test_the_daemon_sends_it_and_a_route_that_reaches_nobody_is_told_by_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f"[notify]\nretry_attempts = 1\n{ROUTES}")
    with run_daemon(tmp_path) as running:
        good = run_cli_json("drill", folder=tmp_path)
        assert (good["delivered"], good["daemon"]) == (True, True)
        assert [(each["notifier"], each["status"]) for each in good["tries"]] == [
            ("webhook", "failed"), ("console", "sent"),
        ]  # fmt: skip
        assert running.log().count("DRILL: CRITICAL: A drill of firstcause") == 1
        bad = run_cli("drill", "TWILIO_API_FAILURE", "--route", "lead", "--json", folder=tmp_path, ok=1)
        assert json.loads(bad.stdout)["routes"][0]["outcome"] == "given up"


def test_wrong_calls_are_one_clear_line(tmp_path: Path) -> None:
    for call, says in (
        (("NOPE",), "no catalog entry 'NOPE'"),
        (("--route", "x"), "no route 'x' in [[notify.routes]]; there are: none"),
        (("--wait", "soon"), "is not a duration"),
    ):
        assert says in run_cli("drill", *call, folder=tmp_path, ok=2).stderr, call
