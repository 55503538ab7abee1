"""One table of all figures at the end of a run; JSON too, where FIRSTCAUSE_BENCHMARK_JSON names a file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.benchmark_figures import Recorder, format_table, load_figures


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Recorder:
    return Recorder(request.node.user_properties)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        report
        for listed in terminalreporter.stats.values()
        for report in listed
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    found = [
        (report.nodeid, figure)
        for report in sorted(reports, key=lambda report: (report.location[0], report.start))
        for figure in load_figures(report.user_properties)
    ]
    if not found:
        return
    terminalreporter.section("figures")
    for line in format_table(figure for _, figure in found):
        terminalreporter.write_line(line)
    if name := os.environ.get("FIRSTCAUSE_BENCHMARK_JSON"):
        rows = [{"test": test, **figure.to_dict()} for test, figure in found]
        Path(name).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
