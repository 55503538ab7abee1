"""What the page asks besides what the API answers. Everything here reads; who acts asks elsewhere."""

from __future__ import annotations

import hashlib
import platform
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.authoring.coverage import coverage
from firstcause.core.text.timestamps import format_time
from firstcause.errors import FirstcauseError, NotFoundError
from firstcause.incidents.serializers import entry_answer
from firstcause.store import alerts, audit, incidents, snapshots
from firstcause.store import change_token as pulse
from firstcause.store.database import HEAD
from firstcause.views import incident_rows
from firstcause.views.charts import Charts
from firstcause.views.component_status import KEPT, components
from firstcause.views.incident_graph import neighbourhood
from firstcause.views.rule_test_job import RuleTesting
from firstcause.views.versioned_cache import Remembered

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.app.application import Service
    from firstcause.core.catalog import Entry
    from firstcause.core.model import Status

OPEN = 100
"""Open incidents that are shown at most."""

_ENDED = 5
_OF_TENANT = 50
_UNCOVERED = 20
_LONGEST_FILE = 2_000_000


class Views:
    """Answers for one service. Times come with each question."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._remembered = Remembered()
        self.rule_testing = RuleTesting(service.learn)

    def pulse(self) -> str:
        """Another text whenever anything that the page shows has changed."""
        service = self._service
        with service.database.read() as conn:
            stored = pulse.of(conn)
        seen = sorted((name, reading.status.value) for name, (_, reading) in service.world.readings.items())
        parts = (stored, seen, service.rules_since, service.refused, self.rule_testing.progress)
        return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()

    # Now and incidents

    def now(self, pulse: str) -> dict[str, Any]:
        """{open, more, ended, drills}: incidents by urgency, those that ended last, open drills."""
        found: dict[str, Any] = self._remembered.once("now", pulse, self._now)
        return found

    def _now(self) -> dict[str, Any]:
        service = self._service
        with service.database.read() as conn:
            found = incident_rows.by_urgency(incidents.still_open(conn))
            rows = incident_rows.rows(conn, service.catalog, found[:OPEN])
            ended = incident_rows.rows(conn, service.catalog, incidents.ended_last(conn, _ENDED))
            drills = len(incidents.still_open(conn, drill=True))
        return {"open": rows, "more": len(found) - len(rows), "ended": ended, "drills": drills}

    def past(self) -> list[dict[str, Any]]:
        """The latest incidents, whatever became of them."""
        with self._service.database.read() as conn:
            return incident_rows.rows(conn, self._service.catalog, incidents.listed(conn, None, OPEN))

    def incident(self, number: str, now: datetime, pulse: str) -> dict[str, Any]:
        """{incident, report, why, graph, similar, remedies, button}: all that is known of one.

        button: what runs the probe that proves the fix, None where there is no such probe.
        """
        make = partial(self._incident, number, now)
        found: dict[str, Any] = self._remembered.once(f"incident {number}", pulse, make)
        return found

    def _incident(self, number: str, now: datetime) -> dict[str, Any]:
        service = self._service
        why = service.explain(number, now)
        with service.database.read() as conn:
            found = incidents.get(conn, number)
            row = found.row_id
            members = alerts.of_incidents(conn, [row])[row]
            alike = incident_rows.similar(conn, service.catalog, found)
        graph = service.knowledge.method(service.world.facts(now)).graph
        report = service.debug(number, now)
        touched = {alert.component for alert in members}
        proof = service.probes.get(report.verify.probe or "")
        return {
            "incident": service.incident(number),
            "report": report,
            "why": why,
            "graph": neighbourhood(members, graph, self._statuses()),
            "similar": alike,
            "button": proof.button if proof is not None else None,
            "remedies": [each for each in service.remedying.listed() if each["component"] in touched],
        }

    def _statuses(self) -> dict[str, Status]:
        """The worst of each component."""
        worst: dict[str, Status] = {}
        for component, reading in self._service.world.readings.values():
            if component not in worst or reading.status.rank > worst[component].rank:
                worst[component] = reading.status
        return worst

    def tenant(self, name: str) -> dict[str, Any]:
        """{tenant, open, past}: the incidents that hit one company. NotFoundError where it never reported."""
        with self._service.database.read() as conn:
            found = incidents.of_tenant(conn, name, _OF_TENANT)
            rows = incident_rows.rows(conn, self._service.catalog, found)
        if not rows:
            msg = f"no company {name!r} has reported anything"
            raise NotFoundError(msg)
        still = [each for each in rows if each["status"] == "open"]
        return {
            "tenant": name,
            "open": still,
            "past": [each for each in rows if each["status"] == "resolved"],
        }

    # Health

    def components(self) -> list[dict[str, Any]]:
        service = self._service
        with service.database.read() as conn:
            kept = snapshots.latest(conn, KEPT)
        return components(service.probes, dict(service.world.readings), kept)

    @property
    def charts(self) -> Charts:
        return Charts(self._service.history)

    def metrics(self) -> list[str]:
        return list(self._service.history.metrics())

    # Catalog and rules

    def entry(self, code: str) -> dict[str, Any]:
        """One entry, and what came of it: {entry, caused_by, seen, similar}."""
        service = self._service
        found = service.catalog.get(code)
        if found is None:
            msg = f"no catalog entry {code!r}"
            raise NotFoundError(msg)
        with service.database.read() as conn:
            history = alerts.history(conn, [code])
            past = incident_rows.rows(conn, service.catalog, incidents.resolved_with(conn, [code], 0, _ENDED))
        causes = sorted(each.code for each in service.catalog.entries.values() if code in each.causes)
        seen = history[0] if history else None
        return {"entry": entry_answer(found), "caused_by": causes, "seen": seen, "past": past}

    def entries(self, text: str) -> list[Entry]:
        """Those in which every word of the text occurs, in the order of the files."""
        words = text.casefold().split()
        return [each for each in self._service.catalog.entries.values() if _has(each, words)]

    def seen(self) -> dict[str, int]:
        """Code -> how often it was ever reported."""
        with self._service.database.read() as conn:
            return {row["code"]: row["count"] for row in alerts.registered(conn)}

    def coverage(self) -> dict[str, Any]:
        found = coverage(self._service.database, self._service.catalog)
        return found.answer(found.uncovered[:_UNCOVERED])

    def rules(self) -> dict[str, Any]:
        """{rules, since, tests, files}: each rule with how many open alerts it speaks of now."""
        service = self._service
        with service.database.read() as conn:
            spoken = alerts.spoken(conn)
        book = service.knowledge.book
        rules = [
            {
                "id": each.rule.id,
                "about": each.rule.about,
                "file": each.file,
                "line": each.line,
                "speaks": spoken.get(each.rule.id, 0),
            }
            for each in book.rules
        ]
        since = format_time(service.rules_since)
        return {"rules": rules, "since": since, "tests": len(book.tests), "files": list(book.files)}

    def rule_file(self, name: str) -> str:
        """The text of a rule file by the name that verdicts give. NotFoundError where there is none."""
        path = self._service.knowledge.book.paths.get(name)
        if path is None:
            msg = f"no rule file {name!r} is loaded"
            raise NotFoundError(msg)
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                return file.read(_LONGEST_FILE)
        except OSError as error:
            msg = f"{path} cannot be read any more: {error.strerror}"
            raise FirstcauseError(msg) from error

    # Settings

    def settings(self) -> dict[str, Any]:
        """{plugins, notifiers, routes, remedies, health, versions}: nothing in it is secret."""
        service = self._service
        notify = service.settings.notify
        return {
            "plugins": [vars(each) for each in service.host.states()],
            "notifiers": sorted(service.notifiers),
            "routes": [{"name": name, "route": route} for name, route in notify.by_name.items()],
            "notify": notify,
            "health": service.settings.health,
            "intake": service.settings.intake,
            "remedies": service.remedying.listed(),
            "versions": {
                "firstcause": version("firstcause"),
                "Python": platform.python_version(),
                "SQLAlchemy": sa.__version__,
                "schema of the store": HEAD,
            },
        }

    def audit(self, limit: int) -> list[dict[str, Any]]:
        with self._service.database.read() as conn:
            return [{**each, "at": format_time(each["at"])} for each in audit.listed(conn, limit)]


def _has(entry: Entry, words: list[str]) -> bool:
    text = f"{entry.code}\n{entry.title}\n{entry.component}\n{entry.category}".casefold()
    return all(word in text for word in words)
