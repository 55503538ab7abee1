"""What commands print with --json is of the types of the API's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from firstcause.app.answers import PluginList, StatusAnswer
from firstcause.core.catalog import Entry
from firstcause.core.incidents.debug_report import DebugReport
from firstcause.health.answers import (
    CheckAnswer,
    DiffAnswer,
    ForecastAnswer,
    ProbeAnswer,
    SnapshotAnswer,
    SnapshotList,
    TrendAnswer,
)
from firstcause.incidents.answers import (
    EntryList,
    ExplanationAnswer,
    IncidentAnswer,
    IncidentSearch,
    SilenceAnswer,
    SilenceList,
)
from support.answer_types import validate_answer
from support.firstcause_process import Receiver, run_cli, run_cli_json, run_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with Receiver() as website:
        (tmp_path / "config.toml").write_text(
            f'[plugins.http.checks.website]\nurl = "{website.url}"\ncomponent = "website"\n'
            '[health]\nenv_file = "app.env"\n[[notify.routes]]\nnotifiers = ["console"]\n'
        )
        (tmp_path / "app.env").write_text("REDIS_URL=redis://cache\n")
        yield tmp_path


def test_what_commands_print_is_of_its_type(folder: Path) -> None:
    def check(kind: Any, *command: str, ok: int = 0) -> Any:
        answer = run_cli_json(*command, folder=folder, ok=ok)
        validate_answer(kind, answer)
        return answer

    check(CheckAnswer, "check")
    (folder / "app.env").write_text("")
    assert check(CheckAnswer, "check", ok=1)["comparison"]["is_regression"]
    check(CheckAnswer, "check", "website")
    check(ProbeAnswer, "probe", "website")
    assert check(DiffAnswer, "diff", "good", "latest", ok=1)["changes"]
    assert check(SnapshotList, "snapshots")["snapshots"]
    check(SnapshotAnswer, "snapshot", "good", "--pin")
    assert check(TrendAnswer, "trend", "website.latency_ms")["points"]
    check(ForecastAnswer, "forecast", "website.latency_ms", "--limit", "9000")
    number = check(IncidentAnswer, "report", "SMS_DELIVERY_FAILURE", "--tenant", "acme", "--wait")["id"]
    check(SilenceAnswer, "silence", "add", "--incident", number, "--for", "2h")
    assert check(SilenceList, "silence", "list")["silences"]
    check(IncidentAnswer, "ack", number)
    check(IncidentAnswer, "incident", number)
    assert check(IncidentSearch, "incidents")["incidents"]
    check(ExplanationAnswer, "explain", number)
    check(DebugReport, "debug", number)
    check(IncidentAnswer, "resolve", number, "--fix", "rotated")
    check(Entry, "catalog", "show", "TWILIO_API_FAILURE")
    check(EntryList, "catalog", "list")
    check(PluginList, "plugins", "list")


def test_the_status_of_the_daemon_is_of_its_type(folder: Path) -> None:
    config = folder / "config.toml"
    with run_daemon(folder) as running:
        port = running.url.rpartition(":")[2]
        config.write_text(f"{config.read_text()}[web]\nport = {port}\n")
        validate_answer(StatusAnswer, run_cli_json("status", folder=folder))


def test_the_status_says_what_was_not_accepted_and_why(folder: Path) -> None:
    config = folder / "config.toml"
    with run_daemon(folder) as running:
        port = running.url.rpartition(":")[2]
        config.write_text(f"{config.read_text()}[web]\nport = {port}\n")
        httpx.post(f"{running.url}/api/v1/events", json=[{"code": "A"}, {}, 7]).raise_for_status()
        record = {"severityNumber": 9, "body": {"stringValue": "hello"}}
        export = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record] * 3}]}]}
        httpx.post(f"{running.url}/v1/logs", json=export).raise_for_status()
        shown = run_cli("status", folder=folder).stdout
    assert "1 events since the start; 2 rejected (native no event 2)" in shown
    assert "3 ignored as no errors (otlp severity info 3)" in shown
