"""The lines of an incident's timeline that its own changes make: what, and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from firstcause.core.model import VerdictKind
from firstcause.core.root_cause.attribution import strongest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from firstcause.core.model import Alert, Incident, Verdict

    Said = Mapping[str, Sequence[Verdict]]

_NAMED = 5


class Note(NamedTuple):
    """One line of a timeline."""

    what: str
    reason: str | None = None


def named(incident: Incident) -> str:
    """The root, with its place where one is known."""
    root = incident.root
    return f"{root.code} at {root.service}" if root.service is not None else root.code


def changed(
    before: Incident | None, after: Incident, members: Sequence[Alert], verdicts: Said
) -> Iterator[Note]:
    """What is otherwise with an incident than before, None where it is new. members: its active alerts."""
    roots = [alert for alert in members if alert.fault == after.fault]
    because = _why(roots, verdicts, VerdictKind.ROOT_CAUSE)
    if before is None:
        yield Note(f"opened: {named(after)}", because)
        return
    if before.fault != after.fault:
        yield Note(f"root is now {named(after)}, no longer {named(before)}", because)
    if before.suppressed != after.suppressed:
        what = "nobody is told" if after.suppressed else "people are told again"
        yield Note(what, _why(roots, verdicts, VerdictKind.SUPPRESS))
    if before.priority != after.priority:
        yield Note(
            f"priority {before.priority} -> {after.priority}", _why_so_urgent(after, members, verdicts)
        )
    if before.acknowledged_at is not None and after.acknowledged_at is None:
        yield Note("no longer acknowledged", "it is more urgent than when it was acknowledged")


def came(joined: Iterable[Alert], after: Incident) -> Iterator[Note]:
    """New alerts that follow from the root, by code. joined: as they were before."""
    counts = Counter(each.code for each in joined if each.incident_id is None and each.fault != after.fault)
    for code, count in sorted(counts.items()):
        yield Note(f"{code} joined{_times(count)}", f"cascade of {named(after)}")


def moved(joined: Iterable[Alert], after: Incident, gone: Collection[int]) -> Iterator[tuple[int, Note]]:
    """Alerts that were attributed to another incident, with its number. gone: those that merged."""
    counts = Counter(
        (each.incident_id, each.code, each.fault == after.fault)
        for each in joined
        if each.incident_id is not None and each.incident_id not in gone
    )
    for (number, code, is_root), count in sorted(counts.items()):
        reason = "it has a cause of its own" if is_root else f"cascade of {named(after)}"
        yield number, Note(f"{code}{_times(count)}", reason)


def listed(numbers: Sequence[int]) -> str:
    """`incident 2`, `incidents 2, 3 and 4 more`."""
    shown = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return f"incident{'s' if len(numbers) > 1 else ''} {shown}{more}"


def _times(count: int) -> str:
    return f" ({count} alerts)" if count > 1 else ""


def _why(alerts: Iterable[Alert], verdicts: Said, kind: VerdictKind) -> str | None:
    """The strongest reason that a rule gave, of one kind."""
    said = (verdict for alert in alerts for verdict in verdicts.get(alert.fingerprint, ()))
    best = strongest(said, kind)
    return best.because if best else None


def _why_so_urgent(after: Incident, members: Iterable[Alert], verdicts: Said) -> str | None:
    said = (
        verdict
        for alert in members
        for verdict in verdicts.get(alert.fingerprint, ())
        if verdict.impact is not None and verdict.impact.priority is after.priority
    )
    best = strongest(said, VerdictKind.IMPACT)
    return best.because if best else None
