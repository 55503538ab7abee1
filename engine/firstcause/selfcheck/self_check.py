"""Finds what is wrong with firstcause itself: collects the state of its parts for `core.selfcheck`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from firstcause.core.selfcheck.conditions import SelfCheckLimits, find_conditions
from firstcause.core.selfcheck.state import (
    Failure,
    NotifierState,
    RejectedRules,
    RouteState,
    SelfState,
    SetAside,
    SwitchedOffRule,
    WaitingEvaluation,
)
from firstcause.errors import FirstcauseError
from firstcause.selfcheck.loop_states import LoopStates
from firstcause.selfcheck.store_reader import StoreReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from firstcause.core.privacy.masking import Mask
    from firstcause.core.selfcheck.conditions import Condition
    from firstcause.core.selfcheck.state import ListenerState
    from firstcause.health.health_service import HealthService
    from firstcause.inference.limited_rules import LimitedRule
    from firstcause.intake.event_intake import EventIntake
    from firstcause.notify.notification_service import NotificationService
    from firstcause.pipeline.event_pipeline import EventPipeline
    from firstcause.pipeline.waiting_scopes import WaitingScopes
    from firstcause.plugins.manager import PluginManager
    from firstcause.rulebase.live_rules import LiveRules
    from firstcause.store.database import Database

THRESHOLD_PREFIX = "self_"
"""The prefix of the thresholds that set `SelfCheckLimits`."""


@dataclass
class SelfCheck:
    """Knows the conditions of firstcause itself.

    loops: reported by the daemon; empty in other processes, which ask the store with each question instead.
    expects_probes: whether it is amiss that no probe is set up.
    list_listeners: returns the listeners' states; set by the daemon.
    store_excess: bytes above [store] max_bytes that cannot be pruned, as text; set by the daemon.
    """

    database: Database
    rules: LiveRules
    plugins: PluginManager
    intake: EventIntake
    pipeline: EventPipeline
    health: HealthService
    notifications: NotificationService
    get_mask: Callable[[], Mask]
    expects_probes: bool = True
    loops: LoopStates = field(default_factory=LoopStates)
    list_listeners: Callable[[], Sequence[ListenerState]] = lambda: ()
    store_excess: Failure | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self._store_reader = StoreReader(self.database)

    @property
    def limits(self) -> SelfCheckLimits:
        """The thresholds of the live rule files; the defaults where no rules could be loaded."""
        try:
            return self.rules.current.book.from_thresholds(SelfCheckLimits, THRESHOLD_PREFIX)
        except FirstcauseError:
            return SelfCheckLimits()

    def refresh(self, now: datetime) -> None:
        """Ask the store again; questions are answered from the last answers."""
        names = {name for members in self.notifications.list_routes().values() for name in members}
        self._store_reader.refresh(names, self.limits.backlog, now)

    def check_store_writable(self) -> None:
        """Try to write to the store; the conditions say whether it worked."""
        self._store_reader.check_writable()

    def find_conditions(self, now: datetime) -> list[Condition]:
        """List what is wrong, the worst first, without secrets. Never raises because of a broken part."""
        if not self.loops.list_states():
            self.refresh(now)
        mask = self.get_mask()
        return [
            condition.model_copy(update={"detail": mask.mask_text(condition.detail)})
            for condition in find_conditions(self._collect_state(now), self.limits, now)
        ]

    def _collect_state(self, now: datetime) -> SelfState:
        routes = self.notifications.list_routes()
        rejected = self.rules.rejected
        return SelfState(
            started_at=self.started_at,
            store_failure=self.database.write_failures.current,
            loops=self.loops.list_states(),
            listeners=self.list_listeners(),
            rejected_rules=RejectedRules(rejected.rejected_at, str(rejected.error)) if rejected else None,
            switched_off_rules=self._collect_switched_off_rules(now),
            waiting_evaluation=_describe_waiting(self.pipeline.waiting_scopes),
            plugins=self.plugins.list_failures(),
            notifiers=self._collect_notifiers(dict.fromkeys(n for names in routes.values() for n in names)),
            routes=[
                RouteState(name, members, is_configured=self.notifications.has_configured_routes)
                for name, members in routes.items()
            ],
            hanging_probes=self.health.list_hanging(now),
            set_aside=_join_set_aside(self._store_reader.set_aside, self.pipeline.set_aside),
            intake_full_since=self.intake.backlog_limit.full_since,
            store_excess=self.store_excess,
            lacks_probes=self.expects_probes and not self.health.probes,
            backlog=self._store_reader.backlog if self.loops.list_states() else None,
        )

    def _collect_switched_off_rules(self, now: datetime) -> list[SwitchedOffRule]:
        try:
            limited = self.rules.current.inference.limited_rules.list_all(now)
        except FirstcauseError:
            # No rules could be loaded.
            return []
        by_rule: dict[str, list[LimitedRule]] = {}
        for each in limited:
            by_rule.setdefault(each.rule, []).append(each)
        return [
            SwitchedOffRule(
                rule=name,
                place=first.place,
                scopes=len(group),
                since=first.since,
                limit=max(each.limit for each in group),
            )
            for name, group in by_rule.items()
            if (first := group[0])
        ]

    def _collect_notifiers(self, names: Sequence[str] | dict[str, None]) -> list[NotifierState]:
        offered = self.notifications.notifiers
        failures = dict(self._store_reader.failing_notifiers) | {
            name: Failure(since, "it has not returned from an earlier call, so messages pass it over")
            for name, since in self.notifications.list_hanging().items()
        }
        return [
            NotifierState(
                name,
                exists=name in offered,
                is_log=name in offered and offered[name].last_resort,
                failure=failures.get(name),
            )
            for name in names
        ]


def _describe_waiting(waiting: WaitingScopes) -> WaitingEvaluation | None:
    since = waiting.since
    return WaitingEvaluation(len(waiting.tenants), since) if since is not None else None


def _join_set_aside(earlier: SetAside | None, current: SetAside | None) -> SetAside | None:
    """Join what earlier processes set aside with what this one did."""
    if earlier is None or current is None:
        return current or earlier
    return SetAside(earlier.count + current.count, earlier.since, current.last_at, current.problem)
