from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from firstcause import Remedy
from firstcause.errors import NotFoundError
from firstcause.incidents.remedies import RemedyRunner
from support.scenario_app import Stage

if TYPE_CHECKING:
    from pathlib import Path


def test_a_remedy_is_planned_run_and_taken_down(tmp_path: Path) -> None:
    stage = Stage(f"sqlite:///{tmp_path}/x.db", tmp_path)
    done: list[str] = []

    def fails() -> str:
        raise RuntimeError("no route to host")

    remedies = {
        "flush": Remedy("flush", "redis", lambda: "DEL cache:*", lambda: done.append("x") or "flushed"),  # type: ignore[func-returns-value]
        "broken": Remedy("broken", "redis", lambda: "?", fails),
    }
    remedying = RemedyRunner(stage.app.database, lambda: list(remedies.values()), stage.app.masking.get_mask)
    assert remedying.plan("flush")["text"] == "DEL cache:*"
    assert not done
    ran = remedying.run("flush", stage.time(0), "anna")
    assert (ran["ok"], ran["text"], done) == (True, "flushed", ["x"])
    failed = remedying.run("broken", stage.time(1), "anna")
    assert (failed["ok"], failed["text"]) == (False, "RuntimeError: no route to host")
    with pytest.raises(NotFoundError, match="no remedy 'x'; there are: flush, broken"):
        remedying.run("x", stage.time(2), "anna")
    assert [(row["actor"], row["about"], row["what"]) for row in stage.rows("audit")] == [
        ("anna", "remedy flush", "began"),
        ("anna", "remedy flush", "done: flushed"),
        ("anna", "remedy broken", "began"),
        ("anna", "remedy broken", "failed: RuntimeError: no route to host"),
    ]
    stage.app.close()
