"""Which incidents a list shows, in which order, and the counts that stay true when a list is cut."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Frozen, Incident, IncidentStatus, Priority

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class IncidentState(StrEnum):
    """What has become of an open incident. new: nobody acknowledged it, and no rule silences it."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    FLAPPING = "flapping"


class IncidentFilter(Frozen):
    """Which incidents are shown; what is left out matches all.

    text: every word of it occurs in the title, code, service, tenant or components. service: the service of
    the root, or a component. tenant: a company that is hit.
    """

    text: str = ""
    priority: Priority | None = None
    service: str = ""
    tenant: str = ""
    state: IncidentState | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it matches all."""
        return self == IncidentFilter()

    def matches(self, incident: Incident) -> bool:
        """Whether an incident is shown."""
        root, impact = incident.root, incident.impact
        names = (root.service, find_group(incident), *impact.components)
        places = {name.casefold() for name in names if name}
        tenants = {name.casefold() for name in (root.tenant, *impact.companies) if name}
        searched = "\n".join((incident.title.casefold(), root.code.casefold(), *places, *tenants))
        return (
            (self.priority is None or incident.priority is self.priority)
            and (not self.service or self.service.casefold() in places)
            and (not self.tenant or self.tenant.casefold() in tenants)
            and (self.state is None or self.state in find_states(incident))
            and all(word in searched for word in self.text.casefold().split())
        )


def find_states(incident: Incident) -> set[IncidentState]:
    """Find what has become of an open incident; one may be acknowledged and flap."""
    states = {
        state
        for state, applies in (
            (IncidentState.ACKNOWLEDGED, incident.acknowledged_at is not None),
            (IncidentState.SILENCED, incident.suppressed),
            (IncidentState.FLAPPING, incident.flapping is not None),
        )
        if applies
    }
    if not states & {IncidentState.ACKNOWLEDGED, IncidentState.SILENCED}:
        states.add(IncidentState.NEW)
    return states


def sort_by_urgency(open_incidents: Iterable[Incident]) -> list[Incident]:
    """The most urgent first, of equal ones the oldest."""
    return sorted(
        open_incidents,
        key=lambda incident: (-incident.priority.rank, -incident.severity.rank, incident.opened_at),
    )


def sort_for_list(listed: Sequence[Incident]) -> list[Incident]:
    """Open ones first, by urgency; then the others, as they come."""
    is_open = [incident.status is IncidentStatus.OPEN for incident in listed]
    ended = [incident for incident, opened in zip(listed, is_open, strict=True) if not opened]
    return [*sort_by_urgency(one for one, opened in zip(listed, is_open, strict=True) if opened), *ended]


def count_by_priority(listed: Iterable[Incident]) -> dict[str, int]:
    """Count incidents by priority, P0 first."""
    counts = Counter(incident.priority.value for incident in listed)
    return dict(sorted(counts.items()))


def find_group(incident: Incident) -> str:
    """Find under which name an incident stands in a long list: its root's service, else its component."""
    return incident.root.service or (incident.impact.components or ("other",))[0]


def list_choices(open_incidents: Sequence[Incident], limit: int) -> dict[str, list[Any]]:
    """List the services and tenants that a list can be narrowed to, the most frequent first."""
    services = Counter(find_group(incident) for incident in open_incidents)
    tenants = Counter(name for incident in open_incidents for name in incident.impact.companies)
    return {
        "services": [name for name, _ in services.most_common(limit)],
        "tenants": [name for name, _ in tenants.most_common(limit)],
    }
