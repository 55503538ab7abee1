"""Suggests fixes that helped in earlier incidents with the same cause, with a confidence each."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from firstcause.core.model import Frozen, Incident, IncidentStatus, Time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

MAX_SUGGESTIONS = 3
"""The number of suggestions for an incident."""

_MAX_LISTED_INCIDENTS = 5
"""The number of incidents that a suggestion names."""


@dataclass(frozen=True)
class FixWeights:
    """Weights of past fixes; rule files set these as thresholds `fix_...`.

    held_for: seconds without the same fault after which a fix counts as having held.
    half_life: seconds after which a past fix counts half.
    elsewhere: share that a fix of another service counts.
    doubt: failures that are assumed of every fix, as one success proves little.
    least: the confidence below which a fix is not suggested.
    """

    held_for: float = 86_400.0
    half_life: float = 90 * 86_400.0
    elsewhere: float = 0.7
    doubt: float = 1.0
    least: float = 0.2


class Suggestion(Frozen):
    """A fix that people noted when they resolved earlier incidents.

    fix: in the words of the last of them.
    confidence: 0 to 1.
    tried: how many incidents the fix was used for. held: after how many of them the fault stayed away.
    incidents: ids, the newest first.
    """

    fix: str
    confidence: float
    because: str
    tried: int
    held: int
    incidents: tuple[str, ...]
    last_used: Time


class PastFix(NamedTuple):
    """The use of a fix in one incident.

    normalized_fix: the text of the fix, comparable with others.
    held: whether the fault stayed away.
    """

    incident: Incident
    resolved_at: datetime
    normalized_fix: str
    held: bool


class FixHistory:
    """The past fixes of one root code.

    incidents: all with that root code, in any order. Open ones are needed too: an incident that opens
        within `held_for` seconds of a fix shows that the fix did not hold.
    """

    def __init__(self, incidents: Iterable[Incident], weights: FixWeights) -> None:
        real_incidents = [incident for incident in incidents if not incident.drill]
        self._weights = weights
        openings: dict[str | None, list[datetime]] = defaultdict(list)
        for incident in sorted(real_incidents, key=lambda incident: incident.opened_at):
            openings[incident.root.service].append(incident.opened_at)
        self._past_fixes = [
            PastFix(
                incident,
                resolved_at,
                _normalize_fix(fix),
                _fix_held(resolved_at, openings[incident.root.service], weights),
            )
            for incident in real_incidents
            if incident.status is IncidentStatus.RESOLVED
            and (resolved_at := incident.resolved_at)
            and (fix := incident.fix)
        ]

    def suggest(self, incident: Incident) -> tuple[Suggestion, ...]:
        """Suggest fixes of incidents that were resolved before this one was opened, the best first."""
        by_fix: dict[str, list[PastFix]] = defaultdict(list)
        for past_fix in self._past_fixes:
            if (
                past_fix.resolved_at <= incident.opened_at
                and past_fix.incident.stored_id != incident.stored_id
            ):
                by_fix[past_fix.normalized_fix].append(past_fix)
        candidates = (self._build_suggestion(incident, past_fixes) for past_fixes in by_fix.values())
        trusted = [suggestion for suggestion in candidates if suggestion.confidence >= self._weights.least]
        # The text is the last key, so that the order of equally good fixes does not depend on the input.
        ranked = sorted(
            trusted,
            key=lambda suggestion: (
                -suggestion.confidence,
                -suggestion.last_used.timestamp(),
                suggestion.fix,
            ),
        )
        return tuple(ranked[:MAX_SUGGESTIONS])

    def _build_suggestion(self, incident: Incident, past_fixes: Sequence[PastFix]) -> Suggestion:
        newest = sorted(
            past_fixes,
            key=lambda past_fix: (past_fix.resolved_at, past_fix.incident.stored_id or 0),
            reverse=True,
        )
        weights = [self._weigh_fix(incident, past_fix) for past_fix in newest]
        success_weight = sum(
            weight for weight, past_fix in zip(weights, newest, strict=True) if past_fix.held
        )
        return Suggestion(
            fix=newest[0].incident.fix or "",
            confidence=round(success_weight / (sum(weights) + self._weights.doubt), 3),
            because=_format_evidence(incident, newest),
            tried=len(newest),
            held=sum(past_fix.held for past_fix in newest),
            incidents=tuple(str(past_fix.incident.stored_id) for past_fix in newest[:_MAX_LISTED_INCIDENTS]),
            last_used=newest[0].resolved_at,
        )

    def _weigh_fix(self, incident: Incident, past_fix: PastFix) -> float:
        age = (incident.opened_at - past_fix.resolved_at).total_seconds()
        share = 1.0 if _is_same_service(incident, past_fix) else self._weights.elsewhere
        return float(0.5 ** (age / self._weights.half_life)) * share


def _is_same_service(incident: Incident, past_fix: PastFix) -> bool:
    return incident.root.service == past_fix.incident.root.service


def _fix_held(resolved_at: datetime, openings: Sequence[datetime], weights: FixWeights) -> bool:
    """Whether the fault stayed away. openings: of all incidents of that fault, in order."""
    next_index = bisect_left(openings, resolved_at)
    return (
        next_index == len(openings) or (openings[next_index] - resolved_at).total_seconds() > weights.held_for
    )


def _format_evidence(incident: Incident, newest: Sequence[PastFix]) -> str:
    days = (incident.opened_at - newest[0].resolved_at).days
    when = "less than a day before" if days == 0 else f"{days} day{'s' if days > 1 else ''} before"
    service_note = (
        "" if any(_is_same_service(incident, past_fix) for past_fix in newest) else " at another service"
    )
    held_count = sum(past_fix.held for past_fix in newest)
    if len(newest) == 1:
        return f"used once{service_note}, {when}, and it {'held' if held_count else 'came back'}"
    outcome = "held each time" if held_count == len(newest) else f"held {held_count} of {len(newest)} times"
    return f"used {len(newest)} times{service_note}, last {when}, and it {outcome}"


def _normalize_fix(fix: str) -> str:
    """Normalize a text, so that case, spaces and a final full stop make no difference."""
    return " ".join(fix.split()).rstrip(".!").casefold()
