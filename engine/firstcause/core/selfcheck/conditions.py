"""The conditions of firstcause itself: what is wrong with it, since when, and how to fix it.

This list is the only source of what `status`, `check`, `/readyz`, `/metrics`, the page and the messages about
firstcause itself say. docs/operations.md describes each condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from firstcause.core.model import Frozen
from firstcause.core.selfcheck.state import CRITICAL_LOOPS, TRIAGE_LOOP
from firstcause.core.text.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from firstcause.core.selfcheck.state import ListenerState, LoopState, NotifierState, RouteState, SelfState


class Level(StrEnum):
    """How bad a condition is.

    notice: worth knowing; nobody is notified. incomplete: a part was never set up, so `check` exits with 1
    and no screen says that all is well; nobody is notified. degraded: a part does not work, the others do.
    unready: errors are not handled, so `/readyz` answers 503.
    """

    NOTICE = "notice"
    INCOMPLETE = "incomplete"
    DEGRADED = "degraded"
    UNREADY = "unready"

    @property
    def rank(self) -> int:
        """The worst is the highest."""
        return list(Level).index(self)

    @property
    def is_failure(self) -> bool:
        """Whether something that should work does not, so that people are notified."""
        return self.rank >= Level.DEGRADED.rank


class Condition(Frozen):
    """One thing that is wrong with firstcause itself.

    code: the catalog entry. about: the plugin, listener, notifier, route, probe or loop; None for the whole.
    part: the part of `/readyz`. summary: what is wrong. detail: the error's own text, which may be long.
    fix: what to do. needs_direct_message: the usual way of messages is what does not work.
    """

    code: str
    level: Level
    part: str
    about: str | None
    summary: str
    detail: str
    fix: str
    since: datetime
    needs_direct_message: bool = False

    @property
    def key(self) -> tuple[str, str | None]:
        """The same while the condition lasts."""
        return self.code, self.about


@dataclass(frozen=True)
class SelfCheckLimits:
    """Seconds, from the thresholds `self_...` of the rule files.

    report_after: that a condition lasts before somebody is notified.
    unready_after: that triage or delivery fails before `/readyz` answers 503.
    listener_unready_after: the same for a listener.
    set_aside_rest: without a further event set aside until that is over. plugin_rest: the same for errors of
    a plugin. repeat: between two reports of a condition that lasts.
    backlog: events that wait for triage from which on it is behind; not seconds.
    """

    report_after: float = 60.0
    unready_after: float = 60.0
    listener_unready_after: float = 300.0
    set_aside_rest: float = 3600.0
    plugin_rest: float = 900.0
    repeat: float = 300.0
    backlog: float = 5000.0


@dataclass(frozen=True)
class CheckContext:
    """What every check of one moment works with."""

    state: SelfState
    limits: SelfCheckLimits
    now: datetime

    def lasts(self, since: datetime, seconds: float) -> bool:
        """Whether something has lasted so long."""
        return (self.now - since).total_seconds() >= seconds


def find_conditions(state: SelfState, limits: SelfCheckLimits, now: datetime) -> list[Condition]:
    """List everything that is wrong, the worst first; of one level, what does more harm first."""
    context = CheckContext(state, limits, now)
    conditions = [condition for check in CHECKS for condition in check(context)]
    return sorted(conditions, key=lambda condition: -condition.level.rank)


def find_worst_level(conditions: Sequence[Condition]) -> Level | None:
    """Return the worst level; None where nothing is wrong."""
    return max((condition.level for condition in conditions), key=lambda level: level.rank, default=None)


def _check_store(context: CheckContext) -> Iterator[Condition]:
    failure = context.state.store_failure
    if failure is not None:
        yield Condition(
            code="FIRSTCAUSE_STORE_UNWRITABLE",
            level=Level.UNREADY,
            part="store",
            about=None,
            summary="The store cannot be written: events are refused or wait.",
            detail=failure.error,
            fix="Make room on the store's disk, make it writable, or start the database server again; "
            "firstcause tries again every few seconds.",
            since=failure.since,
            needs_direct_message=True,
        )
    excess = context.state.store_excess
    if excess is not None:
        yield Condition(
            code="FIRSTCAUSE_STORE_OVER_LIMIT",
            level=Level.DEGRADED,
            part="store",
            about=None,
            summary="The store is above [store] max_bytes and nothing more can be pruned.",
            detail=excess.error,
            fix="Resolve incidents that are over, or raise [store] max_bytes.",
            since=excess.since,
        )


def _check_loops(context: CheckContext) -> Iterator[Condition]:
    for loop in context.state.loops:
        if loop.is_stalled:
            yield _describe_stalled_loop(loop, context)
        elif loop.failure is not None and context.state.store_failure is None:
            # While the store cannot be written, that is why loops fail.
            yield _describe_failing_loop(loop, context)


def _describe_stalled_loop(loop: LoopState, context: CheckContext) -> Condition:
    state = f"hangs for {format_duration(loop.silent_s)}" if loop.is_alive else "has ended"
    return Condition(
        code="FIRSTCAUSE_LOOP_STALLED",
        level=Level.UNREADY if loop.name in CRITICAL_LOOPS else Level.DEGRADED,
        part="loops",
        about=loop.name,
        summary=f"The daemon's loop {loop.name} {state}.",
        detail="",
        fix="Restart firstcause; the end of its log before that shows what the loop was doing.",
        since=context.now - timedelta(seconds=round(loop.silent_s)),
        needs_direct_message=loop.name in CRITICAL_LOOPS,
    )


def _describe_failing_loop(loop: LoopState, context: CheckContext) -> Condition:
    assert loop.failure is not None, "only failing loops are described"
    is_critical = loop.name in CRITICAL_LOOPS
    is_unready = is_critical and context.lasts(loop.failure.since, context.limits.unready_after)
    is_triage = loop.name == TRIAGE_LOOP
    return Condition(
        code="FIRSTCAUSE_TRIAGE_FAILING" if is_triage else "FIRSTCAUSE_LOOP_FAILING",
        level=Level.UNREADY if is_unready else Level.DEGRADED,
        part="triage" if is_triage else "loops",
        about=None if is_triage else loop.name,
        summary="Triage fails, so events wait and become no incidents."
        if is_triage
        else f"The daemon's loop {loop.name} fails again and again.",
        detail=loop.failure.error,
        fix="Fix what the error names; accepted events are kept and triaged afterwards. "
        "If the error is one of firstcause, go back to the last version.",
        since=loop.failure.since,
        needs_direct_message=is_critical,
    )


def _check_triage(context: CheckContext) -> Iterator[Condition]:
    aside = context.state.set_aside
    if aside is not None and not context.lasts(aside.last_at, context.limits.set_aside_rest):
        events = "1 event was" if aside.count == 1 else f"{aside.count} events were"
        yield Condition(
            code="FIRSTCAUSE_EVENTS_SET_ASIDE",
            level=Level.DEGRADED,
            part="triage",
            about=None,
            summary=f"{events} set aside, as triage cannot process them; no incident shows them.",
            detail=aside.problem,
            fix="Read the log for the error and the batch; the events stay in the table `event` with the "
            "column `problem`. Fix the sender or the rule, then let the sender send them again.",
            since=aside.since,
        )


def _check_backlog(context: CheckContext) -> Iterator[Condition]:
    backlog = context.state.backlog
    if backlog is not None and context.lasts(backlog.since, context.limits.report_after):
        yield Condition(
            code="FIRSTCAUSE_TRIAGE_BEHIND",
            level=Level.DEGRADED,
            part="triage",
            about=None,
            summary=f"Triage is behind: {backlog.events:,} events wait and are in no incident yet.",
            detail="",
            fix="Nothing is lost. Stop what floods; if that is the usual rate, give firstcause more CPU; "
            "docs/performance.md has figures.",
            since=backlog.since,
        )


def _check_intake(context: CheckContext) -> Iterator[Condition]:
    since = context.state.intake_full_since
    if since is not None:
        yield Condition(
            code="FIRSTCAUSE_INTAKE_FULL",
            level=Level.UNREADY,
            part="intake",
            about=None,
            summary="The inbox is full, so events are refused with 503.",
            detail="",
            fix="Wait until triage has caught up, stop what floods, or raise [intake] max_waiting_bytes.",
            since=since,
        )


def _check_listeners(context: CheckContext) -> Iterator[Condition]:
    for listener in context.state.listeners:
        if listener.failure is not None:
            yield _describe_listener(listener, context)


def _describe_listener(listener: ListenerState, context: CheckContext) -> Condition:
    assert listener.failure is not None, "only failing listeners are described"
    is_unready = context.lasts(listener.failure.since, context.limits.listener_unready_after)
    return Condition(
        code="FIRSTCAUSE_LISTENER_DOWN",
        level=Level.UNREADY if is_unready else Level.DEGRADED,
        part="listeners",
        about=listener.name,
        summary=f"The listener {listener.name} does not listen; what is sent to it is lost.",
        detail=listener.failure.error,
        fix="Free its port or set another one in its plugin's table; it is started again by itself.",
        since=listener.failure.since,
    )


def _check_rules(context: CheckContext) -> Iterator[Condition]:
    rejected = context.state.rejected_rules
    if rejected is not None:
        yield Condition(
            code="FIRSTCAUSE_RULES_REJECTED",
            level=Level.DEGRADED,
            part="rules",
            about=None,
            summary="Changed rule files were rejected; the previous rules stay live.",
            detail=rejected.error,
            fix="Fix the mistakes at the places shown (`firstcause rules check` lists them too) and save; "
            "the files are read again by themselves.",
            since=rejected.since,
        )


def _check_switched_off_rules(context: CheckContext) -> Iterator[Condition]:
    for rule in context.state.switched_off_rules:
        scopes = "one scope" if rule.scopes == 1 else f"{rule.scopes} scopes"
        yield Condition(
            code="FIRSTCAUSE_RULE_SWITCHED_OFF",
            level=Level.DEGRADED,
            part="rules",
            about=rule.rule,
            summary=f"The rule {rule.rule} is switched off in {scopes}; the other rules work.",
            detail=f"{rule.place}: it would make more than {rule.limit:,} combinations of facts",
            fix="Join its facts by equal fields, such as `service: $a.service`, or narrow them by a code. "
            "It is tried again every five minutes, and at once when the file is saved.",
            since=rule.since,
        )


def _check_waiting_evaluation(context: CheckContext) -> Iterator[Condition]:
    waiting = context.state.waiting_evaluation
    if waiting is not None:
        scopes = "1 tenant waits" if waiting.scopes == 1 else f"{waiting.scopes} tenants wait"
        yield Condition(
            code="FIRSTCAUSE_EVALUATION_BEHIND",
            level=Level.DEGRADED
            if context.lasts(waiting.since, context.limits.report_after)
            else Level.NOTICE,
            part="triage",
            about=None,
            summary=f"{scopes} for an evaluation of the rules; until then their alerts keep their causes.",
            detail="",
            fix="Nothing to do if this ends by itself. If it lasts, more changes than can be evaluated: "
            "resolve errors that are over, and stop what floods.",
            since=waiting.since,
        )


def _check_plugins(context: CheckContext) -> Iterator[Condition]:
    lasting = [
        failure
        for failure in context.state.plugins
        if failure.lasts or not context.lasts(failure.last_at, context.limits.plugin_rest)
    ]
    for name in dict.fromkeys(failure.plugin for failure in lasting):
        failures = [failure for failure in lasting if failure.plugin == name]
        yield Condition(
            code="FIRSTCAUSE_PLUGIN_FAILING",
            level=Level.DEGRADED,
            part="plugins",
            about=name,
            summary=f"The plugin {name} has a problem; what it offers may be missing.",
            detail="\n".join(failure.error for failure in failures),
            fix=f"Correct [plugins.{name}] or update the plugin, then restart firstcause; "
            "`firstcause plugins list` shows what is loaded.",
            since=min(failure.since for failure in failures),
        )


def _check_notifiers(context: CheckContext) -> Iterator[Condition]:
    for notifier in context.state.notifiers:
        if notifier.failure is not None:
            yield Condition(
                code="FIRSTCAUSE_NOTIFIER_FAILING",
                level=Level.DEGRADED,
                part="notifications",
                about=notifier.name,
                summary=f"The notifier {notifier.name} could not deliver its last message.",
                detail=notifier.failure.error,
                fix="Fix what the error names, then send a test with `firstcause drill`; "
                "a message that is delivered ends this.",
                since=notifier.failure.since,
            )


def _check_routes(context: CheckContext) -> Iterator[Condition]:
    by_name = {notifier.name: notifier for notifier in context.state.notifiers}
    for route in context.state.routes:
        members = [by_name[name] for name in route.notifiers]
        usable = [member for member in members if member.exists and member.failure is None]
        if not usable:
            yield _describe_unreachable_route(route, members, context)
        elif all(member.is_log for member in usable) and not any(member.failure for member in members):
            yield Condition(
                code="FIRSTCAUSE_NOTIFIED_BY_LOG_ONLY",
                # A route with the console alone is somebody's decision.
                level=Level.NOTICE if route.is_configured else Level.INCOMPLETE,
                part="notifications",
                about=route.name,
                summary=f"Messages of the route {route.name} go to firstcause's log only"
                + ("." if route.is_configured else ": nobody's phone rings."),
                detail="",
                fix="Configure a notifier in config.toml, such as [plugins.webhook] with a url, or "
                "[plugins.mail]; docs/notifying.md lists them. Then run `firstcause drill`.",
                since=context.state.started_at,
            )


def _describe_unreachable_route(
    route: RouteState, members: Sequence[NotifierState], context: CheckContext
) -> Condition:
    missing = [member.name for member in members if not member.exists]
    failures = [member.failure for member in members if member.failure is not None]
    reasons = [f"no plugin offers {name}" for name in missing] if members else ["it has no notifier"]
    reasons += [f"{member.name}: {member.failure.error}" for member in members if member.failure is not None]
    return Condition(
        code="FIRSTCAUSE_ROUTE_UNREACHABLE",
        level=Level.DEGRADED,
        part="notifications",
        about=route.name,
        summary=f"The route {route.name} reaches nobody.",
        detail="\n".join(reasons),
        fix="Fix one of its notifiers, or add one that works to [[notify.routes]]; "
        "then send a test with `firstcause drill`.",
        # The route reached somebody until the last of its notifiers failed.
        since=max((failure.since for failure in failures), default=context.state.started_at),
        needs_direct_message=True,
    )


def _check_probes(context: CheckContext) -> Iterator[Condition]:
    if context.state.lacks_probes:
        yield Condition(
            code="FIRSTCAUSE_NOTHING_PROBED",
            level=Level.INCOMPLETE,
            part="probes",
            about=None,
            summary="No probe is set up: what breaks without reporting an error goes unseen.",
            detail="",
            fix="Add a probe to config.toml, such as [plugins.http.checks.website] with a url; "
            "docs/probes.md lists them. If you want to see reported errors only, set [health] "
            "expect_probes = false.",
            since=context.state.started_at,
        )
    for probe in context.state.hanging_probes:
        yield Condition(
            code="FIRSTCAUSE_PROBE_HANGING",
            level=Level.DEGRADED,
            part="probes",
            about=probe.name,
            summary=f"The check of the probe {probe.name} hangs, so nothing is known of what it watches.",
            detail="",
            fix="See whether what it watches answers at all. Where it does, update the probe's plugin; "
            "a restart of firstcause ends the hanging check.",
            since=probe.since,
        )


CHECKS: Sequence[Callable[[CheckContext], Iterator[Condition]]] = (
    _check_store,
    _check_loops,
    _check_intake,
    _check_triage,
    _check_listeners,
    _check_routes,
    _check_notifiers,
    _check_backlog,
    _check_plugins,
    _check_rules,
    _check_switched_off_rules,
    _check_waiting_evaluation,
    _check_probes,
)

PARTS = ("store", "loops", "triage", "intake", "listeners", "rules", "plugins", "notifications", "probes")
"""The parts of `/readyz`, in their order."""
