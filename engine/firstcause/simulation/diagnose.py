"""Recorded storms diagnosed: each goes through the pipeline itself, on a store of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.incidents.serializers import suspect_answer
from firstcause.simulation.simulator import Moment, Rehearsal

if TYPE_CHECKING:
    from firstcause.rulebase.rulebase import Knowledge
    from firstcause.simulation.recorded_storm import Storm

_TOLD = 5


class Diagnoser:
    """Diagnoses storms one after the other. The knowledge is the caller's and stays open."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._rehearsal = Rehearsal(knowledge)

    def close(self) -> None:
        self._rehearsal.close()

    def diagnose(self, storm: Storm) -> dict[str, Any]:
        """{id, ranked, root, because, against, confidence, suspects, incidents, notifications}."""
        told = storm.facts()
        timeline = [
            Moment(now, events, told if not number else None)
            for number, (now, events) in enumerate(storm.moments())
        ]
        rehearsal = self._rehearsal
        rehearsal.play(timeline)
        suspects = rehearsal.suspects(timeline[-1].now)
        best = suspects[0]
        return {
            "id": storm.id,
            "ranked": [each.component for each in suspects],
            "root": best.component,
            "because": best.because,
            "against": best.against,
            "confidence": round(best.confidence, 3),
            "suspects": [suspect_answer(each) for each in suspects[:_TOLD]],
            "incidents": len(rehearsal.incidents()),
            "notifications": len(rehearsal.notifications),
        }
