"""Suggests fixes that resolved similar incidents, from the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.incidents.suggestions import FixHistory, FixWeights, Suggestion
from firstcause.store import incidents

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from firstcause.core.model import Incident

FIX_PREFIX = "fix_"
"""The prefix of the thresholds that set `FixWeights`."""

_MAX_INCIDENTS = 200
"""The newest incidents of a code that are read; older ones hardly count."""


@dataclass(frozen=True)
class FixSuggestions:
    """Suggests what people did before."""

    weights: FixWeights

    def suggest(self, conn: sa.Connection, incident: Incident) -> tuple[Suggestion, ...]:
        """Suggest fixes for an incident, the likeliest first; none for a drill."""
        return self.suggest_all(conn, [incident])[0]

    def suggest_all(self, conn: sa.Connection, selected: Sequence[Incident]) -> list[tuple[Suggestion, ...]]:
        """Suggest fixes for each incident, in their order."""
        codes = incidents.find_codes_with_fix(
            conn, {incident.root.code for incident in selected if not incident.drill}
        )
        histories = {
            code: FixHistory(incidents.list_with_root(conn, code, _MAX_INCIDENTS), self.weights)
            for code in codes
        }
        return [
            histories[incident.root.code].suggest(incident)
            if incident.root.code in histories and not incident.drill
            else ()
            for incident in selected
        ]
