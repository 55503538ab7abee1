"""The two flows, as straight lines, over one database; what CLI, web and daemon call."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from firstcause.app.maintenance import pruned
from firstcause.app.metrics import Measures, measured
from firstcause.core.health.snapshot import Snapshot, observed
from firstcause.core.incidents.debug_report import as_markdown, as_text, debug_report
from firstcause.core.incidents.suggestions import Trust
from firstcause.core.model import IncidentStatus
from firstcause.core.privacy.masking import Mask
from firstcause.core.root_cause.suspects import ranked
from firstcause.core.text.timestamps import format_time
from firstcause.errors import ConfigError, FirstcauseError, NotFoundError, RuleFileError, StoreError
from firstcause.health import environment, error_budgets, forecasts, probe_events, snapshot_check
from firstcause.health import serializers as health_serializers
from firstcause.health.baselines import Normals
from firstcause.health.change_finder import WhatChanged
from firstcause.health.probe_runner import Prober
from firstcause.health.queries import History
from firstcause.health.system_state import World
from firstcause.incidents import serializers as incident_serializers
from firstcause.incidents.actions import Acting
from firstcause.incidents.explain import Explainer
from firstcause.incidents.lifecycle import close_incident
from firstcause.incidents.remedies import Remedying
from firstcause.incidents.suggestions import FIX, Learned
from firstcause.intake import fast_path
from firstcause.notify import drills
from firstcause.notify.composer import Wording
from firstcause.notify.delivery import Delivery
from firstcause.notify.queue import Announcer
from firstcause.notify.reminders import Reminding
from firstcause.pipeline.processor import Triage, Triaged
from firstcause.plugins.manager import Host
from firstcause.rulebase.rulebase import Knowledge, Refused, learn, rule_folders
from firstcause.store import (
    alerts,
    cardinality,
    cause_overrides,
    dependencies,
    disk_usage,
    event_counts,
    inbox,
    incidents,
    outbox,
    silences,
    snapshots,
)
from firstcause.store.database import Database
from firstcause.store.inbox import Parcel, TakenError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import sqlalchemy as sa

    from firstcause.config import Settings
    from firstcause.core.catalog import Catalog, Entry
    from firstcause.core.incidents.debug_report import DebugReport
    from firstcause.core.model import Event, Incident, Reading
    from firstcause.core.root_cause.ranking import Suspect
    from firstcause.health.probe_runner import Check
    from firstcause.hookspecs.types import Notifier, Probe, Remedy

BATCH = 10_000
"""Events that are triaged together where so many wait."""

FEWER = 10
"""By so much smaller is the next batch where one holds an event that cannot be triaged."""

REMINDED_EVERY = timedelta(seconds=5)
"""How often it is looked whether somebody is to be reminded."""

log = logging.getLogger("firstcause.service")


def new_id() -> str:
    return uuid.uuid4().hex


class Service:
    """firstcause over one store. Parts are made when first needed, so that a small question stays quick."""

    def __init__(
        self, settings: Settings, host: Host | None = None, knowledge: Knowledge | None = None
    ) -> None:
        self.settings = settings
        self.database = Database(settings.store_url)
        self.world = World()
        self._normals = Normals()
        self._host = host
        self._knowledge = knowledge
        self._lock = threading.RLock()
        self._prober = Prober()
        self.refused: Refused | None = None
        self.rules_since: datetime | None = None
        self._made_mask: tuple[Knowledge, tuple[int, ...] | None, Mask] | None = None
        self._reminded_at: datetime | None = None
        self._forecast_at: datetime | None = None
        self.triaged = 0

    @cached_property
    def host(self) -> Host:
        return self._host or Host.load(self.settings.plugins)

    @cached_property
    def probes(self) -> Mapping[str, Probe]:
        own = error_budgets.probes(self.settings.health.budgets, self.database)
        return {probe.name: probe for probe in (*own, *self.host.probes())}

    @cached_property
    def notifiers(self) -> Mapping[str, Notifier]:
        return {notifier.name: notifier for notifier in self.host.notifiers()}

    @cached_property
    def remedies(self) -> Mapping[str, Remedy]:
        return {remedy.name: remedy for remedy in self.host.remedies()}

    @property
    def knowledge(self) -> Knowledge:
        # Whoever only looks something up must not wait for a triage, which holds the lock.
        if (known := self._knowledge) is not None:
            return known
        with self._lock:
            if self._knowledge is None:
                self._knowledge = self.learn()
            return self._knowledge

    @property
    def catalog(self) -> Catalog:
        return self.knowledge.catalog

    def reload(self, now: datetime) -> None:
        """Take the rule files as they are now. RuleFileError where any is wrong; the old ones then stay."""
        try:
            fresh = self.learn()
        except (RuleFileError, ConfigError) as error:
            self.refused = Refused(now, error)
            raise
        # Whoever evaluates holds the lock, so nobody is amid the old set when it is closed.
        with self._lock:
            old, self._knowledge = self._knowledge, fresh
            self.refused = None
            self.rules_since = now
            if old is not None:
                old.close()

    @property
    def rule_folders(self) -> list[Path]:
        return rule_folders(self.settings, self.host.rule_folders())

    def learn(self) -> Knowledge:
        """The rules of the files as they are now, whichever are live; whoever asks closes them."""
        settings = self.settings
        return learn(self.rule_folders, settings.rules.thresholds, depends_on=settings.topology.depends_on)

    @property
    def env_file(self) -> Path | None:
        named = self.settings.health.env_file
        return None if named is None else self.settings.folder / named

    @cached_property
    def _checksum_key(self) -> bytes | None:
        return environment.checksum_key(self.settings.state)

    @property
    def mask(self) -> Mask:
        """Made anew when what holds secrets changes: one that was rotated is masked from then on."""
        known, stamp = self.knowledge, environment.stamp(self.env_file)
        made = self._made_mask
        if made is None or made[0] is not known or made[1] != stamp:
            values = environment.secret_values(known.catalog.env_vars(), self.env_file)
            tokens = (each.token.get_secret_value() for each in self.settings.intake.tokens.values())
            made = self._made_mask = (known, stamp, Mask([*values, *tokens, *self.host.secrets()]))
        return made[2]

    # One event

    def packed(self, events: Sequence[Event]) -> list[Parcel]:
        """The events without secrets, as they are stored."""
        mask = self.mask
        return inbox.packed([mask.event(event) for event in events])

    def as_sent(self, body: bytes) -> Parcel | None:
        """A request that can be stored as it came; None where it has to be read and masked."""
        if not self.mask.harmless(body):
            return None
        events = fast_path.count(body, inbox.MOST)
        return Parcel(body, events, as_sent=True) if events is not None else None

    def accept(self, events: Sequence[Event], now: datetime) -> None:
        """Store events; when this returns they are on disk."""
        self.database.inbox.store(self.packed(events), now)

    def triage(self, now: datetime, limit: int = BATCH) -> Triaged:
        """Triage the oldest waiting events. One that cannot be triaged is set aside, and the rest go on."""
        with self._lock:
            triage = self._triage(now)
            try:
                done = triage.run(now, limit)
            except TakenError:
                return self.triage(now, limit)
            except FirstcauseError:
                raise
            except Exception as error:
                if limit > 1:
                    log.exception(
                        "a batch of up to %d events could not be triaged; a smaller one goes", limit
                    )
                    return self.triage(now, max(1, limit // FEWER))
                log.exception("an event could not be triaged and is set aside")
                done = triage.set_aside(f"{type(error).__name__}: {error}", now)
            self.triaged += done.events
            return done

    def _triage(self, now: datetime) -> Triage:
        """Only under the lock: a reload would close the rules."""
        self.world.looked(environment.presence(self.catalog.env_vars(), self.env_file), now)
        return Triage(
            self.database,
            self.knowledge,
            self.host,
            self.world,
            self._announcer,
            self.settings.intake,
            self.settings.topology,
            self.mask,
            self.settings.health.releases,
        )

    def reconsider(self, now: datetime) -> None:
        """Let the rules look again at what is active, without an event."""
        with self._lock:
            self._triage(now).reconsider(now)

    def triage_all(self, now: datetime) -> None:
        while self.triage(now).events:
            pass

    @property
    def _announcer(self) -> Announcer:
        notify = self.settings.notify
        return Announcer(notify.by_name, self.notifiers, notify.group_wait)

    def deliver(self, now: datetime) -> int:
        """Say what is due; returns how many messages were tried."""
        notify = self.settings.notify
        if self._reminded_at is None or abs(now - self._reminded_at) >= REMINDED_EVERY:
            Reminding(self.database, notify).run(now)
            self._reminded_at = now
        wording = Wording(self.catalog, self._what_changed, self._learned, self.mask, notify.link)
        return Delivery(self.database, self.notifiers, wording, self._announcer, notify).run(now)

    def drill(self, code: str, route: str | None, now: datetime) -> str:
        """Report a drill, to one route or to those that fit; returns the id of its event."""
        routes = self.settings.notify.by_name
        event = drills.event_of(code, route, self.catalog, routes, now, new_id())
        self.accept([event], now)
        return event.id

    def drilled(self, event_id: str) -> dict[str, Any]:
        """What came of a drill so far."""
        return drills.came_of(self.database, event_id)

    def release_claims(self) -> None:
        with self.database.write() as conn:
            outbox.release_all(conn)

    # One health tick

    def tick(
        self, now: datetime, names: Collection[str] | None = None, *, triage: bool = True
    ) -> dict[str, Any]:
        """Run probes (None: all) and report what they saw. Returns what `check` shows.

        triage: whatever waits, here and now. Where another thread does that, nobody is to wait for it.
        """
        probes = [self._probe(name) for name in (self.probes if names is None else names)]
        readings = self.probed(self._prober.read(probes), now)
        if triage:
            self.triage_all(now)
        if names is None and readings:
            shown = self.snapshot(now)
            if triage:
                self.triage_all(now)
            return shown
        seen = {name: observed(self.probes[name].component, each) for name, each in readings.items()}
        return health_serializers.check_answer(Snapshot(taken_at=now, infrastructure=seen))

    def begin_check(self, name: str, finished: Callable[[], None]) -> Check:
        """Start one probe's check, without waiting for it. finished: called once it is over."""
        return self._prober.begin(self._probe(name), finished)

    def probed(self, found: Mapping[str, Reading], now: datetime) -> Mapping[str, Reading]:
        """Take what probes saw: report what is wrong and what is over. Returns it, masked."""
        mask = self.mask
        readings = {name: self._masked(each, mask) for name, each in found.items()}
        probes = {name: self.probes[name] for name in readings}
        self.world.probed({name: (probes[name].component, each) for name, each in readings.items()}, now)
        with self.database.read() as conn:
            active = alerts.active(conn)
        if events := probe_events.events_of(readings, probes, active, self.catalog, now, new_id):
            self.accept(events, now)
        return readings

    def snapshot(self, now: datetime) -> dict[str, Any]:
        """Keep how everything is by the last readings; a regression is an error like any other."""
        with self._lock:
            names = self.catalog.env_vars()
            self.world.looked(environment.presence(names, self.env_file), now)
            if self.env_file is not None and self._checksum_key is not None:
                self.world.checksums = environment.checksums(names, self.env_file, self._checksum_key)
            settings = self.settings
            state = (self.database, self.knowledge, self.world, self._normals)
            parts = (*state, settings.health, settings.topology)
            checked = snapshot_check.Checking(*parts).run(now)
        event = snapshot_check.event_of(checked.comparison, now, new_id())
        self._report(snapshot_check.COMPARISON, [event] if event is not None else [], now)
        if self._forecast_at is None or abs(now - self._forecast_at) >= forecasts.EVERY:
            self._forecast_at = now
            with self._lock:
                predicted = forecasts.Forecasting(self.database, self.knowledge).run(now, new_id)
            self._report(forecasts.FORECAST, predicted, now)
        return health_serializers.check_answer(checked.snapshot, checked.number, checked.comparison)

    def _masked(self, reading: Reading, mask: Mask) -> Reading:
        return reading.model_copy(
            update={
                "detail": mask.text(reading.detail),
                "data": mask.data(reading.data),
                "further": tuple(
                    each.model_copy(update={"detail": mask.text(each.detail)}) for each in reading.further
                ),
            }
        )

    def _probe(self, name: str) -> Probe:
        if name not in self.probes:
            known = ", ".join(self.probes) or "none; configure one, as README.md shows"
            msg = f"no probe {name!r}; there are: {known}"
            raise NotFoundError(msg)
        return self.probes[name]

    def sweep(self, now: datetime) -> None:
        """End alerts that have gone quiet, and let rules see how old the others are by now."""
        with self.database.read() as conn:
            active = alerts.active(conn)
        with self.database.write(exclusive=False) as conn:
            health = self.settings.health
            snapshots.thin(conn, now, health.keep_whole, health.retention)
            event_counts.thin(conn, now, health.keep_whole, health.retention)
            dependencies.forget(conn, now - timedelta(seconds=self.settings.topology.learned_for))
            cardinality.thin_registry(conn, self.settings.intake.codes)
        ended = probe_events.quiet_events(active, self.settings.intake.quiet_after, now, new_id)
        if ended:
            self.accept(ended, now)
        self.reconsider(now)

    def prune(self, now: datetime, older: float | None = None, *, dry_run: bool = False) -> dict[str, int]:
        """See `pruned`."""
        return pruned(self.database, self.settings.store, now, older, dry_run=dry_run)

    # Answers

    def incidents(self, status: str | None = None, limit: int | None = 50) -> list[dict[str, Any]]:
        with self.database.read() as conn:
            found = incidents.listed(conn, status, limit)
            members = alerts.of_incidents(conn, [each.stored_id for each in found if each.stored_id])
            learned = self._learned.of_all(conn, found)
            return [
                incident_serializers.incident_answer(
                    each, members[number], incidents.notifications_of(conn, number), (), suggestions=known
                )
                for each, known in zip(found, learned, strict=True)
                if (number := each.stored_id) is not None
            ]

    def incident(self, number: str) -> dict[str, Any]:
        with self.database.read() as conn:
            found = incidents.get(conn, number)
            row = found.row_id
            return incident_serializers.incident_answer(
                found,
                alerts.of_incidents(conn, [row])[row],
                incidents.notifications_of(conn, row),
                incidents.timeline_of(conn, row),
                self._entry(found.root.code),
                self._learned.of(conn, found),
            )

    def _entry(self, code: str) -> Entry | None:
        """None also where the rule files are broken just now: what is stored can be shown without them."""
        with suppress(FirstcauseError):
            return self.catalog.get(code)
        return None

    def suspects(self, now: datetime) -> list[Suspect]:
        """All components that may be the root of what is active, likeliest first."""
        with self.database.read() as conn:
            active = alerts.active(conn)
        told = self.world.facts(now)
        return ranked(active, self.knowledge.method(told), told)

    def fingerprints(self, number: str) -> list[str]:
        """Of the incident's active alerts."""
        with self.database.read() as conn:
            row = incidents.get(conn, number).row_id
            members = alerts.of_incidents(conn, [row])[row]
            return [alert.fingerprint for alert in members if alert.active]

    def incident_of(self, event_id: str) -> dict[str, Any] | None:
        """The incident that an accepted event belongs to, None where it opened none."""
        with self.database.read() as conn:
            number = incidents.of_event(conn, event_id)
        return self.incident(str(number)) if number is not None else None

    def debug(self, number: str, now: datetime) -> DebugReport:
        with self.database.read() as conn:
            found = incidents.get(conn, number)
            row = found.row_id
            members = alerts.of_incidents(conn, [row])[row]
            timeline = incidents.timeline_of(conn, row)
            changes = self._what_changed.before(conn, found)
            known = self._learned.of(conn, found)
        return debug_report(
            found, members, self.catalog, now, timeline=timeline, changes=changes, suggestions=known
        )

    @property
    def _learned(self) -> Learned:
        """By the plain weights where the rule files are broken just now."""
        with suppress(FirstcauseError):
            return Learned(self.knowledge.book.tuned(Trust, FIX))
        return Learned(Trust())

    @property
    def _what_changed(self) -> WhatChanged:
        return WhatChanged(self.knowledge, self.settings.topology.learned_for)

    def debug_as(self, number: str, form: str, now: datetime) -> str:
        """The debug report as text, markdown or json."""
        report = self.debug(number, now)
        if form == "json":
            return report.model_dump_json(indent=2)
        return as_markdown(report) if form == "markdown" else as_text(report)

    def explain(self, number: str, now: datetime) -> dict[str, Any]:
        """Why an incident is what it is."""
        with self._lock, self.database.read() as conn:
            return Explainer(conn, self.knowledge, now).incident(number)

    def explain_rule(self, name: str, now: datetime) -> dict[str, Any]:
        with self._lock, self.database.read() as conn:
            return Explainer(conn, self.knowledge, now).rule(name)

    def what_if(self, fixed: str, now: datetime) -> dict[str, Any]:
        """Which open alerts would go if the errors of that code were mended."""
        with self._lock, self.database.read() as conn:
            return Explainer(conn, self.knowledge, now).without(fixed)

    def resolve(self, number: str, now: datetime, *, fix: str | None, actor: str) -> dict[str, Any]:
        """A person says that it is over. Resolving twice changes nothing."""
        with self.database.write() as conn:
            found = incidents.get(conn, number)
            if found.status is IncidentStatus.OPEN:
                cleaned = self.mask.text(fix) if fix else None
                ending = found.model_copy(update={"fix": cleaned})
                reason = cleaned or "a person resolved it"
                self._accept_state(conn, found, actor)
                close_incident(conn, ending, now, self._announcer, actor=actor, reason=reason)
        return self.incident(number)

    def _accept_state(self, conn: sa.Connection, ending: Incident, actor: str) -> None:
        """Whoever ends a regression by hand says that it is meant to be as it is now."""
        row = ending.row_id
        members = alerts.of_incidents(conn, [row])[row]
        last = snapshots.last(conn)
        if last is not None and any(
            each.active and each.probe == snapshot_check.COMPARISON for each in members
        ):
            snapshots.call_good(conn, last.number, f"{actor} resolved the regression")

    @property
    def history(self) -> History:
        """What was: snapshots, trends, forecasts."""
        return History(self.database, self.knowledge, self._what_changed)

    @property
    def acting(self) -> Acting:
        """What people do about incidents."""
        return Acting(self.database, self.mask)

    @property
    def remedying(self) -> Remedying:
        """What plugins can mend by themselves."""
        return Remedying(self.remedies, self.acting, self.mask)

    def words_at(self, now: datetime) -> tuple[object, ...]:
        """What people said that holds; where it changes, rules are to look again."""
        with self.database.read() as conn:
            quiet = [each.number for each in silences.active(conn, now)]
            return (*quiet, *cause_overrides.in_force(conn))

    def heed(self, now: datetime) -> None:
        """Let what a person said take effect, where no daemon runs that would do so."""
        with suppress(StoreError), self.database.only_daemon():
            self.reconsider(now)

    def _report(self, reporter: str, raised: Sequence[Event], now: datetime) -> None:
        """Report what is wrong by one that is no probe, and what it said before and says no more as over."""
        with self.database.read() as conn:
            active = alerts.active(conn)
        if events := probe_events.reported(reporter, raised, active, now, new_id):
            self.accept(events, now)

    def health(self) -> dict[str, Any]:
        """The last full check, without running one."""
        with self.database.read() as conn:
            stored = snapshots.last(conn)
        if stored is None:
            return {"status": "UNKNOWN", "infrastructure": {}, "snapshot_id": None, "checked_at": None}
        return health_serializers.health_answer(stored)

    def ready(self) -> dict[str, str]:
        """Part -> "ok", or what is wrong with it."""
        parts: dict[str, str] = {}
        for name, look in (("store", self.database.version), ("rules", lambda: self.knowledge)):
            try:
                look()
            except FirstcauseError as error:
                parts[name] = str(error)
            else:
                parts[name] = "ok"
        return parts

    def status(self, now: datetime) -> dict[str, Any]:
        """How firstcause itself is: its rules, its store, what is open."""
        with self.database.read() as conn:
            waiting = self.database.inbox.count_waiting(conn)
            unsent = outbox.count_waiting(conn)
            open_now = incidents.still_open(conn)
            taken = disk_usage.taken(conn)
        return {
            "version": version("firstcause"),
            "time": format_time(now),
            "rules": incident_serializers.rules_answer(self.knowledge.book, self.refused),
            "store": {
                "url": self.database.shown_url,
                "bytes": taken,
                "waiting": waiting,
                "unsent": unsent,
            },
            "incidents": dict(sorted(Counter(each.priority.value for each in open_now).items())),
            "health": self.health()["status"],
        }

    def measures(self) -> Measures:
        """What `/metrics` tells of it."""
        runs = self.knowledge.inference.runs
        return measured(self.database, self.world, triaged=self.triaged, rule_runs=runs)

    def close(self) -> None:
        for probe in self.__dict__.get("probes", {}).values():
            if probe.close is not None:
                with suppress(Exception):
                    probe.close()
        with suppress(FirstcauseError), self._lock:
            if self._knowledge is not None:
                self._knowledge.close()
        self.database.close()
