"""Keeps the store tidy: quiet alerts end, what is old is pruned, and what is stored can be exported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.health import probe_events
from firstcause.intake.event_intake import generate_id
from firstcause.store import (
    alerts,
    backup,
    cardinality,
    daemon_runs,
    dependencies,
    event_counts,
    event_log,
    incidents,
    retention,
    snapshots,
)
from firstcause.store.schema import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from firstcause.config import Settings
    from firstcause.incidents.incident_service import IncidentService
    from firstcause.intake.event_intake import EventIntake
    from firstcause.store.database import Database


@dataclass(frozen=True)
class Maintenance:
    """Ends, prunes, copies and exports what is stored.

    reevaluate: evaluates the rules again for all active alerts.
    """

    database: Database
    settings: Settings
    intake: EventIntake
    incidents: IncidentService
    reevaluate: Callable[[datetime], None]

    def sweep(self, now: datetime) -> None:
        """Resolve alerts that nobody reports any more, roll up old figures, and evaluate the rules again.

        Rules may ask how old an alert is, so time alone can change their verdicts.
        """
        settings = self.settings
        with self.database.read() as conn:
            active = alerts.load_active(conn)
            downtimes = daemon_runs.load_downtimes(conn)
        with self.database.write(exclusive=False) as conn:
            snapshots.roll_up(conn, now, settings.health.full_resolution, settings.health.retention)
            event_counts.roll_up(conn, now, settings.health.full_resolution, settings.health.retention)
            dependencies.prune(conn, now - timedelta(seconds=settings.topology.learned_ttl))
            cardinality.prune_registry(conn, settings.intake.max_tracked_codes)
        patience = replace(settings.intake.patience, downtimes=tuple(downtimes))
        ended = probe_events.build_quiet_resolutions(active, patience, now, generate_id)
        if ended:
            self.intake.accept(ended, now)
        self.reevaluate(now)

    def prune(
        self, now: datetime, max_age_s: float | None = None, *, dry_run: bool = False
    ) -> dict[str, int]:
        """Delete what is older or more than the settings keep. Returns {events, incidents, over_max_bytes}.

        max_age_s: seconds, in place of the settings' ages. dry_run: only count.
        over_max_bytes: bytes still used above the limit where nothing more may be deleted.
        """
        store = self.settings.store
        event_age_s = store.keep_events if max_age_s is None else max_age_s
        incident_age_s = store.keep_incidents if max_age_s is None else max_age_s
        limits = retention.RetentionLimits(
            events_before=now - timedelta(seconds=event_age_s),
            incidents_before=now - timedelta(seconds=incident_age_s),
            max_events=store.max_events,
            max_bytes=store.max_bytes or None,
        )
        if dry_run:
            with self.database.read() as conn:
                counts = [retention.count_prunable(conn, limits)]
        else:
            counts = list(retention.prune(self.database, limits))
        return {
            "events": sum(count.events for count in counts),
            "incidents": sum(count.incidents for count in counts),
            "over_max_bytes": sum(count.excess_bytes for count in counts),
        }

    def describe_schema(self) -> dict[str, str | None]:
        """{version, head, url}: the schema of the store, None where it is empty, and that of this program."""
        return {"version": self.database.read_version(), "head": HEAD, "url": self.database.display_url}

    def back_up(self, file: Path, *, replace: bool) -> int:
        """Copy the whole store into a file. Returns its size in bytes. replace: where the file exists."""
        return backup.back_up(self.database, file, replace=replace)

    def export_events(self, since: datetime | None) -> Iterator[dict[str, Any]]:
        """Events as they were reported, the oldest first. since: when they were triaged; None for all."""
        with self.database.read() as conn:
            yield from event_log.iter_events(conn, since)

    def export_incidents(self, since: datetime | None) -> Iterator[dict[str, Any]]:
        """Incidents as `incident ID --json` shows them, the oldest first.

        since: when they began; None for all.
        """
        with self.database.read() as conn:
            incident_ids = incidents.list_ids_opened_since(conn, since)
        for incident_id in incident_ids:
            yield self.incidents.get_incident(str(incident_id))
