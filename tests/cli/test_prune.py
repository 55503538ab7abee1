"""prune, as an operator uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from running import answer, firstcause

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_over_goes_and_what_is_open_stays(tmp_path: Path) -> None:
    firstcause("report", "SMS_DELIVERY_FAILURE", folder=tmp_path)
    firstcause("report", "REDIS_SLOW", folder=tmp_path)
    firstcause("resolve", "1", folder=tmp_path)
    would = answer("prune", "--older-than", "0s", "--dry-run", folder=tmp_path)
    assert would == {"events": 1, "incidents": 1, "dry_run": True}
    assert len(answer("incidents", folder=tmp_path)["incidents"]) == 2
    assert firstcause("prune", folder=tmp_path).stdout == "0 events and 0 incidents are gone\n"
    done = firstcause("db", "prune", "--older-than", "0s", "--vacuum", folder=tmp_path)
    assert done.stdout == "1 events and 1 incidents are gone\n"
    (left,) = answer("incidents", folder=tmp_path)["incidents"]
    assert (left["root"]["code"], left["events"]) == ("REDIS_SLOW", 1)
    wrong = firstcause("prune", "--older-than", "soon", folder=tmp_path, ok=2)
    assert "write it like 30s" in wrong.stderr
