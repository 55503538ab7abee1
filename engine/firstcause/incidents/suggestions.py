"""Suggestions out of the store: what mended incidents like these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.incidents.suggestions import Experience, Suggestion, Trust
from firstcause.store import incidents

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from firstcause.core.model import Incident

FIX = "fix_"
"""How the names of thresholds begin that weigh fixes; see `core.learning.Trust`."""

_LOOKED_AT = 200
"""Incidents of a code, the newest: what is older counts next to nothing."""


@dataclass(frozen=True)
class Learned:
    """What people did before."""

    trust: Trust

    def of(self, conn: sa.Connection, incident: Incident) -> tuple[Suggestion, ...]:
        """The likeliest fix first; none for a drill."""
        return self.of_all(conn, [incident])[0]

    def of_all(self, conn: sa.Connection, found: Sequence[Incident]) -> list[tuple[Suggestion, ...]]:
        """Of each incident, in their order."""
        codes = incidents.codes_with_fix(conn, {each.root.code for each in found if not each.drill})
        known = {code: Experience(incidents.with_root(conn, code, _LOOKED_AT), self.trust) for code in codes}
        return [
            known[each.root.code].suggestions(each) if each.root.code in known and not each.drill else ()
            for each in found
        ]
