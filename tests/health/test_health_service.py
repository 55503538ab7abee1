"""What probes report is masked before it is kept or stored, the other problems of a reading too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause import Problem, Status

if TYPE_CHECKING:
    from support.scenario_app import Stage


def test_the_other_problems_of_a_reading_are_masked(stage: Stage) -> None:
    problem = Problem(code="REDIS_SLOW", detail="password=hunter2-of-the-site refused")
    stage.probe(0, Status.DOWN, detail="token=abcdef-of-the-site refused", problems=(problem,))
    stored = stage.everything_stored()
    assert "REDIS_SLOW" in stored
    assert "refused" in stored
    assert "of-the-site" not in stored
    ((_component, reading),) = stage.app.system_state.readings.values()
    assert "refused" in reading.problems[0].detail
    assert "of-the-site" not in repr(reading)
