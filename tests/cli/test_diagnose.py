"""diagnose: recorded storms in, roots out, line by line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from support.firstcause_process import run_cli

if TYPE_CHECKING:
    from pathlib import Path

STORM = {
    "id": "one",
    "edges": [["web", "cart"], ["cart", "stock"], ["app", "cart"]],
    "alerts": [
        {"service": "web", "kind": "latency_high", "t": 0, "count": 3, "score": 2.5, "detail": "p99 900 ms"},
        {"service": "cart", "kind": "latency_high", "t": 5, "count": 3, "score": 4.0},
        {"service": "stock", "kind": "cpu_high", "t": 30, "count": 4, "score": 8.0},
    ],
}


def test_each_storm_has_its_line_and_what_is_no_storm_is_said(tmp_path: Path) -> None:
    file = tmp_path / "storms.jsonl"
    second = {**STORM, "id": "two", "alerts": STORM["alerts"][:1]}
    file.write_text(f"{json.dumps(STORM)}\n\nnot json\n{json.dumps(second)}\n")
    done = run_cli("diagnose", str(file), folder=tmp_path, ok=2)
    one, two = map(json.loads, done.stdout.splitlines())
    assert (one["id"], one["root"], one["incidents"], one["notifications"]) == ("one", "stock", 1, 1)
    assert one["ranked"][:2] == ["stock", "cart"]
    assert one["because"][0] == "its own resource: CPU_HIGH"
    assert 0.5 < one["confidence"] <= 1
    assert (two["id"], two["root"]) == ("two", "web")
    assert f"{file}:3: no JSON" in done.stderr


def test_wrong_calls_and_files_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"\xff\xfe\n")
    assert "not UTF-8" in run_cli("diagnose", "x.jsonl", folder=tmp_path, ok=2).stderr
    assert "No such file" in run_cli("diagnose", "nothing.jsonl", folder=tmp_path, ok=2).stderr
