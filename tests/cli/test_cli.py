"""The command line as users call it: another process, real files, its own words."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from firstcause import cli
from support.firstcause_process import PROGRAM, run_cli, run_cli_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_init_writes_what_runs_and_keeps_what_is_there(tmp_path: Path) -> None:
    run_cli("init", "here", folder=tmp_path)
    folder = tmp_path / "here"
    assert run_cli_json("rules", "check", folder=folder)["mistakes"] == []
    codes = {entry["code"] for entry in run_cli_json("catalog", "list", folder=folder)["entries"]}
    assert {"MY_SERVICE_UNREACHABLE", "TWILIO_API_FAILURE"} <= codes
    (folder / "config.toml").write_text("# mine\n")
    assert "kept" in run_cli("init", "here", folder=tmp_path).stdout
    assert (folder / "config.toml").read_text() == "# mine\n"


def test_report_finds_the_root_that_comes_late(tmp_path: Path) -> None:
    run_cli("report", "SMS_DELIVERY_FAILURE", "--tenant", "acme", "-m", "not sent", folder=tmp_path)
    message = "Twilio RestException [Error]: Authenticate, code 20003"
    found = run_cli_json("report", "-m", message, "--wait", folder=tmp_path)
    assert found["root"] == {"code": "TWILIO_API_FAILURE", "service": None, "tenant": None}
    assert found["priority"] == "P0"
    assert found["status"] == "open"
    roles = {alert["code"]: alert["role"] for alert in found["alerts"]}
    assert roles == {"TWILIO_API_FAILURE": "root", "SMS_DELIVERY_FAILURE": "cascade"}
    root = next(alert["id"] for alert in found["alerts"] if alert["role"] == "root")
    assert [alert["caused_by"] for alert in found["alerts"]] == [None, root]
    assert found["impact"]["companies"] == ["acme"]
    assert {"rule", "file", "line", "verdict", "because"} <= found["verdicts"][0].keys()
    assert run_cli_json("incident", found["id"], folder=tmp_path)["id"] == found["id"]
    assert [one["id"] for one in run_cli_json("incidents", folder=tmp_path)["incidents"]] == [found["id"]]


def test_report_takes_every_option(tmp_path: Path) -> None:
    found = run_cli_json(
        "report", "BILLING_LATE", "--tenant", "acme", "--service", "billing", "--severity", "error",
        "--detail", "invoice=77", "--detail", "note=a=b", "-m", "too late",
        "--at", "2026-01-02T03:04:05Z", "--wait",
        folder=tmp_path,
    )  # fmt: skip
    alert = found["alerts"][0]
    assert (alert["tenant"], alert["service"], alert["severity"]) == ("acme", "billing", "WARNING")
    assert alert["first_seen"] == "2026-01-02T03:04:05.000Z"
    assert alert["catalogued"] is False
    report = json.loads(run_cli("debug", found["id"], "--format", "json", folder=tmp_path).stdout)
    assert report["details"] == {"invoice": "77", "note": "a=b"}


SECTIONS = (
    "ROOT CAUSE", "HOW TO FIX", "WHERE TO FIX", "HOW TO REPRODUCE", "HOW TO VERIFY THE FIX", "IMPACT",
    "DEPENDENCY ANALYSIS", "ERROR SOURCE", "COMMON CAUSES", "RELATED ERRORS", "TIMELINE",
)  # fmt: skip


def test_debug_has_every_section_cause_and_fix_first(tmp_path: Path) -> None:
    run_cli("report", "TWILIO_API_FAILURE", folder=tmp_path)
    text = run_cli("debug", "1", folder=tmp_path).stdout
    places = [text.index(f"\n{section}\n") for section in SECTIONS]
    assert places == sorted(places)
    markdown = run_cli("debug", "1", "--format", "markdown", folder=tmp_path).stdout
    assert markdown.startswith("# CRITICAL P0: Twilio API connection failed\n")
    assert "## How to fix" in markdown
    report = json.loads(run_cli("debug", "1", "--json", folder=tmp_path).stdout)
    assert report["dependencies"]["root_cause"]["code"] == "TWILIO_API_FAILURE"
    assert report["fix"]["env_vars"] == ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER"]


def test_resolve_keeps_what_fixed_it(tmp_path: Path) -> None:
    run_cli("report", "REDIS_SLOW", folder=tmp_path)
    done = run_cli_json("resolve", "1", "--fix", "restarted, password=hunter22", folder=tmp_path)
    assert done["status"] == "resolved"
    assert done["resolved_at"] is not None
    assert done["fix"] == "restarted, password=[masked]"
    again = run_cli_json("resolve", "1", "--fix", "something else", folder=tmp_path)
    assert (again["resolved_at"], again["fix"]) == (done["resolved_at"], done["fix"])
    assert run_cli_json("incidents", "--status", "open", folder=tmp_path)["incidents"] == []


def test_catalog_show_has_every_field_of_the_contract(tmp_path: Path) -> None:
    entry = run_cli_json("catalog", "show", "twilio_api_failure", folder=tmp_path)
    assert entry.keys() >= {
        "code", "title", "category", "severity", "customer_facing", "match", "causes", "fix", "reproduce",
        "verify", "docs", "common_causes", "related", "impact", "component",
    }  # fmt: skip
    assert entry["fix"].keys() >= {"url", "ui_url", "config_file", "env_vars", "steps"}


def test_plugins_list_names_the_broken_table_and_the_rest_work(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[plugins.webhook]\nurl = "nonsense"\n[plugins.twillio]\nx = 1\n')
    found = {one["name"]: one for one in run_cli_json("plugins", "list", folder=tmp_path, ok=1)["plugins"]}
    assert "[plugins.webhook] url" in found["webhook"]["problems"][0]
    assert "did you mean [plugins.twilio]" in found["twillio"]["problems"][0]
    assert found["console"]["status"] == "loaded"
    assert not found["console"]["problems"]
    assert found["http"]["hooks"] == ["probes"]


def test_db_goes_up_and_down(tmp_path: Path) -> None:
    before = run_cli_json("db", "current", folder=tmp_path, ok=1)
    assert before["version"] is None
    run_cli("db", "upgrade", folder=tmp_path)
    after = run_cli_json("db", "current", folder=tmp_path)
    assert after["version"] == after["head"]
    run_cli("db", "downgrade", "base", "--yes", folder=tmp_path)
    assert run_cli_json("db", "current", folder=tmp_path, ok=1)["version"] is None


WRONG_CALLS = [
    (["incident", "77"], 2, "no incident '77'"),
    (["incident", "x; drop table"], 2, "no incident"),
    (["debug", "77"], 2, "no incident '77'"),
    (["resolve", "77"], 2, "no incident '77'"),
    (["catalog", "show", "TWILIO_API_FAILURES"], 2, "did you mean TWILIO_API_FAILURE?"),
    (["probe", "nothing"], 2, "no probe 'nothing'"),
    (["report"], 2, "give a code or a message"),
    (["report", "X", "--severity", "loud"], 2, "severity: "),
    (["report", "X", "--at", "yesterday"], 2, "time: "),
    (["report", "X", "--detail", "nonsense"], 2, "--detail 'nonsense' is not KEY=VALUE"),
    (["--config", "nowhere.toml", "incidents"], 2, "no configuration at nowhere.toml"),
    (["rules", "check", "nowhere"], 2, "nowhere"),
    (["nonsense"], 2, "No such command 'nonsense'"),
]


@pytest.mark.parametrize(
    ("call", "code", "says"),
    WRONG_CALLS,
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_is_one_clear_line(tmp_path: Path, call: list[str], code: int, says: str) -> None:
    done = run_cli(*call, folder=tmp_path, ok=code)
    assert says in done.stderr
    assert done.stdout == ""


WRONG_CONFIGS = [
    ("[stor]\nurl = 1\n", "did you mean store?"),
    ("[web]\nprot = 1\n", "did you mean port?"),
    ("[web\n", "config.toml"),
    ('[store]\nurl = "oracle://x"\n', "oracle"),
    ('[rules]\npaths = ["nowhere"]\n', "no folder"),
    ('[store]\nurl = "postgresql://nobody:hunter22@127.0.0.1:1/x"\n', "127.0.0.1"),
]


@pytest.mark.parametrize(("config", "says"), WRONG_CONFIGS, ids=lambda value: value.splitlines()[0])
def test_a_wrong_configuration_is_said_clearly(tmp_path: Path, config: str, says: str) -> None:
    (tmp_path / "config.toml").write_text(config)
    done = run_cli("report", "X", folder=tmp_path, ok=None)
    assert done.returncode in {1, 2}
    assert says in done.stderr
    assert "hunter22" not in done.stderr


def test_rules_check_names_all_mistakes_at_once(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.yaml").write_text(
        "component: mine\ncatalog:\n  - code: mine\n    title: x\n    severity: LOUD\n    category: DATA\n"
        "    casues: [NOWHERE]\n"
    )
    done = run_cli("rules", "check", "rules", folder=tmp_path, ok=1)
    places = [line.partition(": ")[0] for line in done.stderr.splitlines() if "mine.yaml:" in line]
    assert [place.split(":")[1:] for place in places] == [["3", "11"], ["5", "15"], ["7", "5"]]
    assert "did you mean 'causes'?" in done.stderr


def test_output_may_be_cut_off(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{' '.join(PROGRAM)} catalog list | head -1",
        shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("CODE")
    assert done.stderr == ""


def test_hostile_text_cannot_drive_the_terminal(tmp_path: Path) -> None:
    run_cli("report", "-m", "\x1b]0;owned\x07\x1b[2Jboom", "--tenant", "a\x1b[31m", folder=tmp_path)
    for command in (["incidents"], ["incident", "1"], ["debug", "1"], ["debug", "1", "--format", "markdown"]):
        assert "\x1b" not in run_cli(*command, folder=tmp_path).stdout


def test_help_has_an_example_everywhere() -> None:
    def leaves(
        command: click.Command, path: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], click.Command]]:
        if isinstance(command, click.Group):
            for name, inner in command.commands.items():
                yield from leaves(inner, (*path, name))
        else:
            yield path, command

    found = dict(leaves(cli.firstcause, ("firstcause",)))
    assert {("firstcause", "run"), ("firstcause", "plugins", "list")} <= found.keys()
    for path, command in found.items():
        assert command.help, path
        assert path[-1] in (command.epilog or "").removeprefix("Example: firstcause "), path
    assert "Example: firstcause report" in CliRunner().invoke(cli.firstcause, ["report", "--help"]).output
