"""Runs the pipeline on a store in memory: real rules, a simulated clock, and notifications only recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.app.application import Application
from firstcause.config import FixedSettings
from firstcause.core.grouping.parts import compute_ends
from firstcause.core.incidents.flapping import FlapPolicy
from firstcause.health.system_state import ReplayedFacts
from firstcause.hookspecs import hookimpl
from firstcause.hookspecs.types import Notifier
from firstcause.pipeline.incident_evaluation import FLAPPING_PREFIX
from firstcause.plugins.manager import PluginManager
from firstcause.store import alerts, incidents, outbox
from firstcause.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from firstcause.core.grouping.parts import Patience
    from firstcause.core.model import Event, Fact
    from firstcause.core.notification import Notification
    from firstcause.core.root_cause.ranking import Suspect
    from firstcause.rulebase.rulebase import Rulebase
    from firstcause.store.database import Database


_AGE_MARGIN = timedelta(milliseconds=1)
"""Delay after an alert reaches an age at which rules look at it, so that both `gt` and `gte` hold."""


class _RecordingPlugin:
    """A plugin whose notifier records notifications."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []

    @hookimpl
    def firstcause_notifiers(self) -> list[Notifier]:
        # Rate limits are not part of the rules, and a notifier of last resort has none.
        return [Notifier(name="rehearsal", send=self.notifications.append, last_resort=True)]


@dataclass(frozen=True)
class Step:
    """The events of one time, and the other facts from then on; None: the facts as before.

    resolved_fingerprints: of the alerts of an incident that a person resolved.
    """

    now: datetime
    events: Sequence[Event]
    facts: Sequence[Fact] | None = None
    resolved_fingerprints: frozenset[str] = frozenset()


class Simulator:
    """Runs events through the pipeline under given rules.

    group_wait: seconds, None for the default. store: its URL, None for one in memory. sweeping: alerts that
    nobody reports any more end, as they do while the daemon runs.
    """

    def __init__(
        self,
        rulebase: Rulebase,
        group_wait: float | None = None,
        store: str | None = None,
        *,
        sweep_quiet_alerts: bool = False,
    ) -> None:
        self._recorder = _RecordingPlugin()
        host = PluginManager([])
        host.register(self._recorder, "rehearsal")
        # Nobody can acknowledge an incident here, so there are no reminders.
        notify: dict[str, float] = {"repeat_interval": 0}
        if group_wait is not None:
            notify["group_wait"] = group_wait
        # Not the environment's store: what a simulation finds there, it deletes.
        settings = FixedSettings.model_validate({"store": {"url": store or "sqlite://"}, "notify": notify})
        self._settle_time = timedelta(seconds=2 * settings.notify.group_wait)
        self._age_limits_s = rulebase.inference.limits("alert", "age_s")
        self._quiet_limits_s = rulebase.inference.limits("alert", "quiet_s")
        self._patience = settings.intake.patience if sweep_quiet_alerts else None
        self._flap_policy = rulebase.book.from_thresholds(FlapPolicy, FLAPPING_PREFIX)
        self._app = Application(settings, host, rulebase)
        self._app.database.prepare()
        self._ended_at: datetime | None = None

    @property
    def database(self) -> Database:
        return self._app.database

    def run(self, timeline: Iterable[Step], until: datetime | None = None) -> None:
        """Run the steps on an empty store, then until that time, or until no notification is pending."""
        self._clear_store()
        self.resume(timeline, until)

    def resume(self, timeline: Iterable[Step], until: datetime | None = None) -> None:
        """Run the steps as `run` does, on the store as it is."""
        previous_time = None
        self._app.system_state.fact_source = ReplayedFacts()
        for step in timeline:
            self._advance_to(previous_time, step.now)
            self._resolve_incidents(step)
            if step.facts is not None:
                self._app.system_state.fact_source = ReplayedFacts(tuple(step.facts))
                if not step.events:
                    self._app.pipeline.reevaluate(step.now)
            if step.events:
                self._app.intake.accept(step.events, step.now)
                self._app.pipeline.triage_all(step.now)
            previous_time = step.now
        if previous_time is not None:
            self._ended_at = previous_time + self._settle_time if until is None else until
            self._advance_to(previous_time, self._ended_at)

    def evaluate_again(self) -> None:
        """Evaluate the rules on the state at the end of the last run, with the counts as they are then."""
        if self._ended_at is not None:
            self._app.pipeline.reevaluate(self._ended_at)

    def _advance_to(self, since: datetime | None, until: datetime) -> None:
        """Let time pass: deliver due notifications, and evaluate rules when their verdicts may change.

        That is at alerts' ages that they test, and when an incident that flaps has held still for long.
        """
        for when in self._age_thresholds(since, until) if since is not None else ():
            self._deliver_due(when)
            self._app.pipeline.reevaluate(when)
        if since is not None:
            self._settle_flapping(since, until)
        for when in (
            self._list_quiet_times(since, until, self._patience)
            if self._patience is not None and since is not None
            else ()
        ):
            self._deliver_due(when)
            self._app.maintenance.sweep(when)
            self._app.pipeline.triage_all(when)
        self._deliver_due(until)

    def _settle_flapping(self, since: datetime, until: datetime) -> None:
        """Evaluate the rules whenever an incident that flaps has held still for long."""
        settles_at = self._find_settling(since, until)
        while settles_at is not None:
            self._deliver_due(settles_at)
            self._app.pipeline.reevaluate(settles_at)
            settles_at = self._find_settling(settles_at, until)

    def _find_settling(self, since: datetime, until: datetime) -> datetime | None:
        """Find when the next incident that flaps has held still for long."""
        policy = self._flap_policy
        with self.database.read() as conn:
            last_transitions = [
                incident.transitions[-1] for incident in incidents.load_flapping(conn) if incident.transitions
            ]
        times = [
            last.at + timedelta(seconds=policy.steady if last.firing else policy.calm)
            for last in last_transitions
        ]
        return min((when for when in times if since < when <= until), default=None)

    def _list_quiet_times(self, since: datetime, until: datetime, patience: Patience) -> list[datetime]:
        with self.database.read() as conn:
            ends = {
                end + _AGE_MARGIN
                for alert in alerts.load_active(conn)
                for end in compute_ends(alert, patience).values()
            }
        return sorted(when for when in ends if since < when < until)

    def _age_thresholds(self, since: datetime, until: datetime) -> list[datetime]:
        """List when alerts reach an age, or a time without events, that rules compare theirs with."""
        if not self._age_limits_s and not self._quiet_limits_s:
            return []
        with self.database.read() as conn:
            active = alerts.load_active(conn)
        starts = [(alert.first_seen, self._age_limits_s) for alert in active]
        starts += [(alert.last_seen, self._quiet_limits_s) for alert in active]
        threshold_times = {
            start + timedelta(seconds=limit) + _AGE_MARGIN
            for start, limits in set(starts)
            for limit in limits
        }
        return sorted(when for when in threshold_times if since < when < until)

    def _resolve_incidents(self, step: Step) -> None:
        if not step.resolved_fingerprints:
            return
        for incident in self._app.incidents.list_incidents("open", limit=None):
            if step.resolved_fingerprints & set(self._app.incidents.list_active_fingerprints(incident["id"])):
                self._app.incidents.resolve(incident["id"], step.now, fix=None, actor="rehearsal")

    @property
    def notifications(self) -> Sequence[Notification]:
        """The notifications, in order."""
        return tuple(self._recorder.notifications)

    def list_incidents(self) -> list[dict[str, Any]]:
        """List the incidents in the form of `incident ID --json`, in the order in which they were opened."""
        rows = self._app.incidents.list_incidents(limit=None)
        return [self._app.incidents.get_incident(row["id"]) for row in reversed(rows)]

    def rank_suspects(self, now: datetime) -> list[Suspect]:
        """Rank all components that may be the root of the active alerts, the most likely first."""
        return self._app.incidents.rank_suspects(now)

    def close(self) -> None:
        """Close the store. The rulebase belongs to the caller and stays open."""
        self._app.database.close()

    def _deliver_due(self, now: datetime) -> None:
        """Deliver the messages that are due by then, each at its own time."""
        while (due := self._next_due()) is not None and due <= now:
            if not self._app.notifications.deliver(due):
                break

    def _next_due(self) -> datetime | None:
        with self.database.read() as conn:
            return outbox.find_next_due(conn)

    def _clear_store(self) -> None:
        self._recorder.notifications.clear()
        with self._app.database.write() as conn:
            for table in reversed(metadata.sorted_tables):
                conn.execute(table.delete())
