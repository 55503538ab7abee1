"""How firstcause itself is: for `status`, `/readyz` and `/metrics`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.privacy.masking import Mask
from firstcause.core.selfcheck.conditions import PARTS, Level, find_worst_level
from firstcause.core.selfcheck.serializers import serialize_condition, serialize_public_condition
from firstcause.core.text.timestamps import format_time
from firstcause.errors import FirstcauseError
from firstcause.health.serializers import serialize_health
from firstcause.incidents.serializers import serialize_rules
from firstcause.store import disk_usage, incidents, outbox, snapshots
from firstcause.store.tables import alert, notification_log

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.selfcheck.conditions import Condition
    from firstcause.health.system_state import SystemState
    from firstcause.intake.metrics import IntakeMetrics
    from firstcause.plugins.plugin import PluginState
    from firstcause.rulebase.live_rules import LiveRules
    from firstcause.selfcheck.self_check import SelfCheck
    from firstcause.store.database import Database


@dataclass(frozen=True)
class Metrics:
    """The numbers of one moment.

    pending_events, pending_event_bytes: events that wait for triage, and their size on disk.
    pending_notifications: messages that are not sent yet.
    incidents: open incidents by priority. alerts: active alerts.
    store_bytes: size of the store on disk.
    probes: name -> component and status, by the last check.
    delivery_attempts: notifier and status -> attempts, since the store was created.
    processed_events, rule_evaluations: since the start.
    """

    pending_events: int
    pending_event_bytes: int
    pending_notifications: int
    incidents: Mapping[str, int]
    alerts: int
    store_bytes: int
    probes: Mapping[str, tuple[str, str]]
    delivery_attempts: Mapping[tuple[str, str], int]
    processed_events: int
    rule_evaluations: int


class Monitoring:
    """Answers how firstcause itself is.

    get_processed_count: returns how many events were triaged since the start.
    run_check: runs probes by name, None for all of them.
    list_plugins: returns the states of the plugins.
    """

    def __init__(
        self,
        database: Database,
        *,
        rules: LiveRules,
        system_state: SystemState,
        intake_metrics: IntakeMetrics,
        get_processed_count: Callable[[], int],
        self_check: SelfCheck,
        run_check: Callable[[datetime, Collection[str] | None], dict[str, Any]],
        list_plugins: Callable[[], Sequence[PluginState]],
        get_mask: Callable[[], Mask],
    ) -> None:
        self._database = database
        self._rules = rules
        self._system_state = system_state
        self._intake_metrics = intake_metrics
        self._get_processed_count = get_processed_count
        self._self_check = self_check
        self._run_check = run_check
        self._list_plugins = list_plugins
        self._get_mask = get_mask

    def find_conditions(self, now: datetime) -> list[Condition]:
        """What is wrong with firstcause itself, the worst first."""
        return self._self_check.find_conditions(now)

    def check(self, now: datetime, names: Collection[str] | None = None) -> dict[str, Any]:
        """Run probes, None for all, and look at firstcause itself. Returns what `check` shows."""
        answer = self._run_check(now, names)
        # Afterwards, as most problems of a plugin show when its probes are asked for.
        return answer | {"conditions": [serialize_condition(each) for each in self.find_conditions(now)]}

    def describe_plugins(self) -> dict[str, Any]:
        """The plugins, and whose process this is: what `plugins list` shows."""
        return {
            "plugins": self.list_plugins(),
            "store": self._database.display_url,
            "since": format_time(self._self_check.started_at),
        }

    def list_plugins(self) -> list[dict[str, Any]]:
        """The plugins with their problems, and what their calls cost in this process; without secrets."""
        try:
            mask = self._get_mask()
        except FirstcauseError:
            # No rules could be loaded; what is a secret by its form is masked all the same.
            mask = Mask(())
        return [_serialize_plugin(state, mask) for state in self._list_plugins()]

    def list_stalled_loops(self) -> list[str]:
        """The loops of this process that have ended or hang. Asks nothing but memory."""
        return self._self_check.loops.list_stalled()

    def check_readiness(self, now: datetime) -> dict[str, Any]:
        """What `/readyz` answers: without the texts of errors, as everybody may ask. It tries to write."""
        self._self_check.check_store_writable()
        conditions = [
            condition for condition in self.find_conditions(now) if condition.level is not Level.NOTICE
        ]
        level = find_worst_level(conditions)
        checks = dict.fromkeys(PARTS, "ok")
        for condition in reversed(conditions):
            checks[condition.part] = condition.summary
        return {
            "status": "ok" if level is None else level.value,
            "checks": checks,
            "conditions": [serialize_public_condition(condition) for condition in conditions],
        }

    def get_status(self, now: datetime) -> dict[str, Any]:
        """Its rules, its store, what is open, and what came in."""
        with self._database.read() as conn:
            pending_events = self._database.inbox.count_pending(conn)
            pending_notifications = outbox.count_pending(conn)
            open_incidents = incidents.load_open(conn)
            store_bytes = disk_usage.measure_store(conn)
            last_snapshot = snapshots.load_last(conn)
        return {
            "version": version("firstcause"),
            "time": format_time(now),
            "rules": serialize_rules(self._rules.current.book, self._rules.rejected),
            "store": {
                "url": self._database.display_url,
                "bytes": store_bytes,
                "waiting": pending_events,
                "unsent": pending_notifications,
            },
            "incidents": dict(
                sorted(Counter(incident.priority.value for incident in open_incidents).items())
            ),
            "health": serialize_health(last_snapshot)["status"],
            "intake": self._intake_metrics.to_dict(),
            "conditions": [serialize_condition(condition) for condition in self.find_conditions(now)],
        }

    def collect_metrics(self) -> Metrics:
        """The numbers for `/metrics`."""
        active = sa.select(sa.func.count()).where(alert.c.resolved_at.is_(None), alert.c.drill.is_(False))
        columns = notification_log.c
        attempts = sa.select(columns.notifier, columns.status, sa.func.count()).group_by(
            columns.notifier, columns.status
        )
        database, readings = self._database, self._system_state.readings
        with database.read() as conn:
            return Metrics(
                pending_events=database.inbox.count_pending(conn),
                pending_event_bytes=database.inbox.pending_bytes(conn),
                pending_notifications=outbox.count_pending(conn),
                incidents=Counter(incident.priority.value for incident in incidents.load_open(conn)),
                alerts=conn.execute(active).scalar_one(),
                store_bytes=disk_usage.measure_store(conn),
                probes={
                    name: (component, reading.status.value) for name, (component, reading) in readings.items()
                },
                delivery_attempts={(name, status): count for name, status, count in conn.execute(attempts)},
                processed_events=self._get_processed_count(),
                rule_evaluations=self._rules.current.inference.evaluation_count,
            )


def _serialize_plugin(state: PluginState, mask: Mask) -> dict[str, Any]:
    usage = {
        what: {
            **vars(counts),
            "seconds": round(counts.seconds, 6),
            "last_error": None if counts.last_error is None else mask.mask_text(counts.last_error),
        }
        for what, counts in state.usage.items()
    }
    problems = [mask.mask_text(problem) for problem in state.problems]
    return {**vars(state), "problems": problems, "hooks": list(state.hooks), "usage": usage}
