"""prune, as an operator uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.firstcause_process import run_cli, run_cli_json

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_over_goes_and_what_is_open_stays(tmp_path: Path) -> None:
    run_cli("report", "SMS_DELIVERY_FAILURE", folder=tmp_path)
    run_cli("report", "REDIS_SLOW", folder=tmp_path)
    run_cli("resolve", "1", folder=tmp_path)
    would = run_cli_json("prune", "--older-than", "0s", "--dry-run", folder=tmp_path)
    assert would == {"events": 1, "incidents": 1, "over_max_bytes": 0, "dry_run": True}
    assert len(run_cli_json("incidents", folder=tmp_path)["incidents"]) == 2
    assert run_cli("prune", folder=tmp_path).stdout == "0 events and 0 incidents deleted\n"
    done = run_cli("db", "prune", "--older-than", "0s", "--vacuum", folder=tmp_path)
    assert done.stdout == "1 events and 1 incidents deleted\n"
    (left,) = run_cli_json("incidents", folder=tmp_path)["incidents"]
    assert (left["root"]["code"], left["events"]) == ("REDIS_SLOW", 1)
    wrong = run_cli("prune", "--older-than", "soon", folder=tmp_path, ok=2)
    assert "use for example 30s" in wrong.stderr


def test_a_store_that_stays_above_its_limit_says_so(tmp_path: Path) -> None:
    run_cli("report", "SMS_DELIVERY_FAILURE", folder=tmp_path)
    run_cli("resolve", "1", folder=tmp_path)
    run_cli("report", "REDIS_SLOW", folder=tmp_path)
    (tmp_path / "config.toml").write_text('[store]\nmax_bytes = "1 KiB"\n')
    would = run_cli_json("prune", "--dry-run", folder=tmp_path)
    assert (would["events"], would["incidents"]) == (1, 0)
    said = run_cli("prune", folder=tmp_path).stdout.splitlines()
    assert said[0] == "1 events and 0 incidents deleted"
    assert "over [store] max_bytes (1 KiB)" in said[1]
    assert "the rest belongs to active alerts and open incidents" in said[1]
    done = run_cli_json("prune", folder=tmp_path)
    assert done["events"] == 0
    # The tables take more, even empty.
    assert done["over_max_bytes"] == pytest.approx(would["over_max_bytes"], rel=0.1)
    assert done["over_max_bytes"] > 100_000
    (tmp_path / "config.toml").write_text("[store]\nmax_bytes = 0\n")
    assert run_cli_json("prune", folder=tmp_path)["over_max_bytes"] == 0
