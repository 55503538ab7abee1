"""Questions of the page that the API does not answer. Everything here only reads."""

from __future__ import annotations

import hashlib
import platform
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.authoring.coverage import UncoveredFault, measure_coverage
from firstcause.authoring.yaml_style import format_entry
from firstcause.core.incidents.incident_filter import (
    IncidentFilter,
    count_by_priority,
    list_choices,
    sort_by_urgency,
)
from firstcause.core.model import Role
from firstcause.core.text.timestamps import format_time
from firstcause.errors import FirstcauseError, NotFoundError
from firstcause.incidents.serializers import serialize_entry
from firstcause.store import alerts, audit, incidents, snapshots
from firstcause.store import change_token as store_token
from firstcause.store.schema import HEAD
from firstcause.views import incident_rows
from firstcause.views.charts import Charts
from firstcause.views.component_status import SPARKLINE_SNAPSHOTS, list_components
from firstcause.views.incident_graph import build_neighbourhood
from firstcause.views.rule_test_job import RuleTestJob
from firstcause.views.versioned_cache import VersionedCache

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from firstcause.app.application import Application
    from firstcause.core.catalog import Entry
    from firstcause.core.model import Alert, Incident, Status

MAX_OPEN_INCIDENTS = 100
"""Open incidents that are shown at most."""

MAX_CARDS = 10
"""Open incidents that have a card each; more have a row each."""

_NEIGHBOUR_S = 60.0
"""Seconds between the beginnings of two incidents that may have to do with each other."""

_MAX_CHOICES = 30
_MAX_ENDED = 5
_MAX_TENANT_INCIDENTS = 50
_MAX_UNCOVERED = 20
_MAX_FILE_LENGTH = 2_000_000


class Views:
    """Answers the questions of the page. Times are arguments."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._cache = VersionedCache()
        self.rule_test_job = RuleTestJob(application.rules.load)

    def change_token(self) -> str:
        """Another text whenever anything that the page shows has changed."""
        app = self._app
        with app.database.read() as conn:
            stored = store_token.read_change_token(conn)
        statuses = sorted(
            (name, reading.status.value) for name, (_, reading) in app.system_state.readings.items()
        )
        parts = (stored, statuses, app.rules.loaded_at, app.rules.rejected, self.rule_test_job.progress)
        return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()

    # Now and incidents

    def load_overview(self, change_token: str, chosen: IncidentFilter | None = None) -> dict[str, Any]:
        """{open, groups, matched, totals, choices, ended, drills}: what is open, and what ended last.

        open: the most urgent incidents that match, at most MAX_OPEN_INCIDENTS of the `matched` ones. groups:
        the same as (name, rows), by service; empty where so few are open that each has a card.
        totals: of all, whatever is chosen: incidents, events, urgent, by_priority; silenced ones are left
        out. choices: services and tenants to choose from.
        """
        chosen = chosen or IncidentFilter()
        compute = partial(self._query_overview, chosen)
        key = f"now {chosen.model_dump_json()}"
        overview: dict[str, Any] = self._cache.get_or_compute(key, change_token, compute)
        return overview

    def _query_overview(self, chosen: IncidentFilter) -> dict[str, Any]:
        app = self._app
        with app.database.read() as conn:
            open_incidents = sort_by_urgency(incidents.load_open(conn))
            matched = [incident for incident in open_incidents if chosen.matches(incident)]
            open_rows = incident_rows.build_rows(conn, app.rules.catalog, matched[:MAX_OPEN_INCIDENTS])
            ended_rows = incident_rows.build_rows(
                conn, app.rules.catalog, incidents.list_last_ended(conn, _MAX_ENDED)
            )
            drill_count = len(incidents.load_open(conn, drill=True))
            event_count = incidents.count_events(conn, suppressed=False)
        loud = [incident for incident in open_incidents if not incident.suppressed]
        return {
            "open": open_rows,
            "groups": group_rows(open_rows) if len(matched) > MAX_CARDS else [],
            "matched": len(matched),
            "totals": {
                "open": len(open_incidents),
                "incidents": len(loud),
                "events": event_count,
                "by_priority": count_by_priority(loud),
            },
            "choices": list_choices(open_incidents, _MAX_CHOICES),
            "ended": ended_rows,
            "drills": drill_count,
        }

    def list_past_incidents(self) -> list[dict[str, Any]]:
        """The latest incidents, whatever became of them."""
        with self._app.database.read() as conn:
            return incident_rows.build_rows(
                conn, self._app.rules.catalog, incidents.list_incidents(conn, None, MAX_OPEN_INCIDENTS)
            )

    def load_incident(self, incident_id: str, now: datetime, change_token: str) -> dict[str, Any]:
        """{incident, report, why, graph, similar, remedies, button}: all that is known of an incident.

        button: the label of the probe that proves the fix, None where there is no such probe.
        """
        compute = partial(self._query_incident, incident_id, now)
        details: dict[str, Any] = self._cache.get_or_compute(f"incident {incident_id}", change_token, compute)
        return details

    def _query_incident(self, incident_id: str, now: datetime) -> dict[str, Any]:
        app = self._app
        with app.database.read() as conn:
            details = app.incidents.describe(conn, incident_id, now)
            similar_incidents = incident_rows.find_similar(conn, app.rules.catalog, details.record.incident)
            neighbours = _find_neighbours(details.record.incident, incidents.load_open(conn))
        members = details.record.members
        graph = app.rules.current.diagnosis_inputs(app.system_state.build_facts(now)).graph
        affected_components = {alert.component for alert in members}
        verify_probe = app.health.probes.get(details.report.verify.probe or "")
        return {
            "incident": details.incident,
            "report": details.report,
            "why": details.explanation,
            "graph": build_neighbourhood(members, graph, self._worst_statuses()),
            "similar": similar_incidents,
            "draft": self._draft_entry(details.record.incident, members),
            "neighbours": neighbours,
            "button": verify_probe.button if verify_probe is not None else None,
            "remedies": [
                remedy
                for remedy in app.remedies.list_remedies()
                if remedy["component"] in affected_components
            ],
        }

    def _draft_entry(self, incident: Incident, members: Sequence[Alert]) -> str | None:
        """Draft a catalog entry for an incident whose root has none; None where it has one."""
        if self._app.rules.catalog.get(incident.root.code) is not None:
            return None
        lead = next((alert for alert in members if alert.role is Role.ROOT), None)
        sample = lead.sample if lead is not None else None
        fault = UncoveredFault(
            incident.root.code,
            sample.message if sample else None,
            incident.severity.value,
            1,
            incident.opened_at,
        )
        return format_entry(fault.draft_entry(self._app.rules.catalog))

    def _worst_statuses(self) -> dict[str, Status]:
        """The worst of each component."""
        worst: dict[str, Status] = {}
        for component, reading in self._app.system_state.readings.values():
            if component not in worst or reading.status.rank > worst[component].rank:
                worst[component] = reading.status
        return worst

    def load_tenant(self, name: str) -> dict[str, Any]:
        """{tenant, open, past}: the incidents that hit one company. NotFoundError where it never reported."""
        with self._app.database.read() as conn:
            tenant_incidents = incidents.list_for_tenant(conn, name, _MAX_TENANT_INCIDENTS)
            rows = incident_rows.build_rows(conn, self._app.rules.catalog, tenant_incidents)
        if not rows:
            msg = f"no company {name!r} has reported anything"
            raise NotFoundError(msg)
        open_rows = [row for row in rows if row["status"] == "open"]
        return {
            "tenant": name,
            "open": open_rows,
            "past": [row for row in rows if row["status"] == "resolved"],
        }

    # Health

    def load_components(self) -> list[dict[str, Any]]:
        app = self._app
        with app.database.read() as conn:
            recent_snapshots = snapshots.load_latest(conn, SPARKLINE_SNAPSHOTS)
        return list_components(app.health.probes, dict(app.system_state.readings), recent_snapshots)

    @property
    def charts(self) -> Charts:
        return Charts(self._app.health.history)

    def list_metrics(self) -> list[str]:
        return list(self._app.health.history.list_metrics())

    # Catalog and rules

    def load_entry(self, code: str) -> dict[str, Any]:
        """One entry, and what came of it: {entry, caused_by, seen, similar}."""
        app = self._app
        entry = app.rules.catalog.get(code)
        if entry is None:
            msg = f"no catalog entry {code!r}"
            raise NotFoundError(msg)
        with app.database.read() as conn:
            history = alerts.load_history(conn, [code])
            past_incidents = incident_rows.build_rows(
                conn, app.rules.catalog, incidents.list_resolved_with(conn, [code], 0, _MAX_ENDED)
            )
        causes = sorted(other.code for other in app.rules.catalog.entries.values() if code in other.causes)
        code_history = history[0] if history else None
        return {
            "entry": serialize_entry(entry),
            "caused_by": causes,
            "seen": code_history,
            "past": past_incidents,
        }

    def search_entries(self, text: str) -> list[Entry]:
        """Those in which every word of the text occurs, in the order of the files."""
        words = text.casefold().split()
        return [entry for entry in self._app.rules.catalog.entries.values() if _matches_words(entry, words)]

    def count_by_code(self) -> dict[str, int]:
        """Code -> how often it was ever reported."""
        with self._app.database.read() as conn:
            return {row["code"]: row["count"] for row in alerts.list_registered_codes(conn)}

    def load_coverage(self) -> dict[str, Any]:
        report = measure_coverage(self._app.database, self._app.rules.catalog)
        return report.to_dict(report.uncovered[:_MAX_UNCOVERED])

    def list_rules(self) -> dict[str, Any]:
        """{rules, since, tests, files}: each rule with how many open alerts it speaks of now."""
        app = self._app
        with app.database.read() as conn:
            alert_counts = alerts.count_alerts_by_rule(conn)
        book = app.rules.current.book
        rules = [
            {
                "id": loaded_rule.rule.id,
                "about": loaded_rule.rule.about,
                "file": loaded_rule.file,
                "line": loaded_rule.line,
                "speaks": alert_counts.get(loaded_rule.rule.id, 0),
            }
            for loaded_rule in book.rules
        ]
        since = format_time(app.rules.loaded_at)
        return {"rules": rules, "since": since, "tests": len(book.tests), "files": list(book.files)}

    def read_rule_file(self, name: str) -> str:
        """The text of a rule file by the name that verdicts give. NotFoundError where there is none."""
        path = self._app.rules.current.book.paths.get(name)
        if path is None:
            msg = f"no rule file {name!r} is loaded"
            raise NotFoundError(msg)
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                return file.read(_MAX_FILE_LENGTH)
        except OSError as error:
            msg = f"{path} cannot be read any more: {error.strerror}"
            raise FirstcauseError(msg) from error

    # Settings

    def load_settings(self) -> dict[str, Any]:
        """{plugins, notifiers, routes, remedies, health, versions}: nothing in it is secret."""
        app = self._app
        notify = app.settings.notify
        return {
            "plugins": app.monitoring.list_plugins(),
            "notifiers": sorted(app.notifications.notifiers),
            "routes": [{"name": name, "route": route} for name, route in notify.by_name.items()],
            "notify": notify,
            "health": app.settings.health,
            "intake": app.settings.intake,
            "remedies": app.remedies.list_remedies(),
            "versions": {
                "firstcause": version("firstcause"),
                "Python": platform.python_version(),
                "SQLAlchemy": sa.__version__,
                "schema of the store": HEAD,
            },
        }

    def list_audit_entries(self, limit: int) -> list[dict[str, Any]]:
        with self._app.database.read() as conn:
            return [{**row, "at": format_time(row["at"])} for row in audit.list_entries(conn, limit)]


def _find_neighbours(incident: Incident, open_incidents: Sequence[Incident]) -> list[dict[str, Any]]:
    """Find other open incidents that began within a minute of this one, the nearest first."""
    others = [other for other in open_incidents if other.stored_id != incident.stored_id]
    distances = [(abs((other.opened_at - incident.opened_at).total_seconds()), other) for other in others]
    near = sorted(
        (pair for pair in distances if pair[0] <= _NEIGHBOUR_S), key=lambda pair: (pair[0], pair[1].row_id)
    )
    return [
        {
            "id": str(other.row_id),
            "title": other.title,
            "priority": other.priority.value,
            "seconds": round(distance),
        }
        for distance, other in near[:_MAX_ENDED]
    ]


def group_rows(rows: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Group rows by their service, the group with the most urgent row first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    return list(groups.items())


def _matches_words(entry: Entry, words: list[str]) -> bool:
    text = f"{entry.code}\n{entry.title}\n{entry.component}\n{entry.category}".casefold()
    return all(word in text for word in words)
