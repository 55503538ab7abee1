"""Diagnoses recorded storms: each runs through the real pipeline, on a store of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from firstcause.core.root_cause.learned_chances import learn_chances
from firstcause.incidents.serializers import serialize_suspect
from firstcause.simulation.simulator import Simulator, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firstcause.rulebase.rulebase import Rulebase
    from firstcause.simulation.recorded_storm import RecordedStorm

_MAX_SUSPECTS = 5


class Diagnoser:
    """Diagnoses storms one after the other. The rulebase belongs to the caller and stays open."""

    def __init__(self, rulebase: Rulebase, history: Iterable[RecordedStorm] = ()) -> None:
        """history: past storms with confirmed roots; others teach nothing."""
        learned = learn_chances(
            (storm.confirmed_root, storm.list_kinds()) for storm in history if storm.confirmed_root
        )
        self.chances = rulebase.chances.combine(learned)
        self._simulator = Simulator(replace(rulebase, chances=self.chances))

    def close(self) -> None:
        self._simulator.close()

    def diagnose(self, storm: RecordedStorm) -> dict[str, Any]:
        """Diagnose a storm.

        The keys are id, ranked, root, because, against, confidence, suspects, incidents and notifications.
        """
        facts = storm.build_facts()
        timeline = [
            Step(now, events, facts if not index else None)
            for index, (now, events) in enumerate(storm.iter_batches())
        ]
        simulator = self._simulator
        simulator.run(timeline)
        suspects = simulator.rank_suspects(timeline[-1].now)
        if not suspects:
            return _answer_nothing(storm, simulator)
        best = suspects[0]
        return {
            "id": storm.id,
            "ranked": [suspect.component for suspect in suspects],
            "root": best.component,
            "because": best.because,
            "against": best.against,
            "confidence": round(best.confidence, 3),
            "suspects": [serialize_suspect(suspect) for suspect in suspects[:_MAX_SUSPECTS]],
            "incidents": len(simulator.list_incidents()),
            "notifications": len(simulator.notifications),
        }


def _answer_nothing(storm: RecordedStorm, simulator: Simulator) -> dict[str, Any]:
    """Answer for a storm in which no alert says anything of a component."""
    return {
        "id": storm.id,
        "ranked": [],
        "root": None,
        "because": [],
        "against": ["no alert names a component"],
        "confidence": 0.0,
        "suspects": [],
        "incidents": len(simulator.list_incidents()),
        "notifications": len(simulator.notifications),
    }
