from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from support.firstcause_process import PROGRAM, run_cli, run_cli_json

if TYPE_CHECKING:
    from pathlib import Path


def test_a_copy_is_a_store(tmp_path: Path) -> None:
    run_cli("report", "TWILIO_API_FAILURE", folder=tmp_path)
    said = run_cli("backup", "copy.db", folder=tmp_path).stdout
    assert " is copied to copy.db (" in said
    done = run_cli_json("backup", "copy.db", "--replace", folder=tmp_path)
    assert done == {"file": "copy.db", "bytes": (tmp_path / "copy.db").stat().st_size}
    again = run_cli("backup", "copy.db", folder=tmp_path, ok=1)
    assert again.stderr.strip().endswith("copy.db is there already; name another file, or say --replace")
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path}/copy.db"\n')
    mine, theirs = (run_cli_json("incidents", folder=folder)["incidents"] for folder in (tmp_path, other))
    assert mine == theirs
    assert len(mine) == 1


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """A file may not grow beyond 100 KiB here, which says the same to whoever writes."""
    run_cli("report", "TWILIO_API_FAILURE", folder=tmp_path)
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "copy.db").write_text("of yesterday")
    call = " ".join([*PROGRAM, "backup", "copies/copy.db", "--replace"])
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 100; {call}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "copies/copy.db cannot be written: " in done.stderr
    assert "Traceback" not in done.stderr
    left = [(each.name, each.read_text()) for each in (tmp_path / "copies").iterdir()]
    assert left == [("copy.db", "of yesterday")]


def test_what_is_exported_can_be_played_again(tmp_path: Path) -> None:
    run_cli("report", "SMS_DELIVERY_FAILURE", "--tenant", "acme", folder=tmp_path)
    run_cli("report", "TWILIO_API_FAILURE", "--detail", "attempt=3", folder=tmp_path)
    (incident,) = run_cli_json("incidents", folder=tmp_path)["incidents"]
    lines = run_cli("export", folder=tmp_path).stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert [each["code"] for each in events] == ["SMS_DELIVERY_FAILURE", "TWILIO_API_FAILURE"]
    assert (events[0]["tenant"], events[1]["details"]) == ("acme", {"attempt": "3"})
    run_cli("export", "-o", "events.jsonl", folder=tmp_path)
    assert (tmp_path / "events.jsonl").read_text().splitlines() == lines
    (played,) = run_cli("replay", "events.jsonl", folder=tmp_path).stdout.splitlines()
    assert json.loads(played)["root"] == incident["root"]
    assert json.loads(played)["events"] == 2
    (exported,) = run_cli("export", "incidents", folder=tmp_path).stdout.splitlines()
    assert json.loads(exported) == run_cli_json("incident", incident["id"], folder=tmp_path)


def test_since_when(tmp_path: Path) -> None:
    run_cli("report", "REDIS_SLOW", folder=tmp_path)
    assert run_cli("export", "--since", "1h", folder=tmp_path).stdout.count("\n") == 1
    assert run_cli("export", "--since", "2999-01-01T00:00:00Z", folder=tmp_path).stdout == ""
    assert "neither a duration" in run_cli("export", "--since", "x", folder=tmp_path, ok=2).stderr


def test_who_reads_only_the_beginning_is_no_mistake(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"code": "REDIS_SLOW", "message": "x" * 2000}) for _ in range(400))
    (tmp_path / "many.jsonl").write_text(lines)
    run_cli("replay", "many.jsonl", "--store", f"sqlite:///{tmp_path}/many.db", folder=tmp_path)
    (tmp_path / "config.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path}/many.db"\n')
    program = " ".join([*PROGRAM, "export"])
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program} | head -1"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout)["code"] == "REDIS_SLOW"
    assert "Traceback" not in done.stderr
