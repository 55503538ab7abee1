"""What firstcause knows about its own parts at one moment. Conditions are made of this and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

CRITICAL_LOOPS = frozenset({"triage", "deliver"})
"""Loops without which errors become no incidents, or nobody is notified of them."""

TRIAGE_LOOP = "triage"


@dataclass(frozen=True)
class Failure:
    """Something fails. since: the first failure after the last success. error: the last one's text."""

    since: datetime
    error: str


@dataclass(frozen=True)
class LoopState:
    """A loop of the daemon.

    silent_s: seconds since its last heartbeat, by the monotonic clock.
    max_silence_s: seconds that its longest step may take.
    failure: None where the last step succeeded.
    """

    name: str
    is_alive: bool
    silent_s: float
    max_silence_s: float
    failure: Failure | None = None

    @property
    def is_stalled(self) -> bool:
        """Whether the loop has ended, or hangs."""
        return not self.is_alive or self.silent_s > self.max_silence_s


@dataclass(frozen=True)
class ListenerState:
    """A listener of a plugin. failure: None while it listens."""

    name: str
    failure: Failure | None = None


@dataclass(frozen=True)
class RejectedRules:
    """Rule files that are not live. error: all mistakes with their places, one a line."""

    since: datetime
    error: str


@dataclass(frozen=True)
class SwitchedOffRule:
    """A rule that would make too many combinations of facts.

    rule: its id. place: its file and line. scopes: in how many scopes it is off: tenants and the platform.
    limit: combinations that it may make.
    """

    rule: str
    place: str
    scopes: int
    since: datetime
    limit: int


@dataclass(frozen=True)
class WaitingEvaluation:
    """Scopes whose rules wait for a later evaluation."""

    scopes: int
    since: datetime


@dataclass(frozen=True)
class PluginFailure:
    """A problem of a plugin. lasts: it stays until a restart; otherwise it is over when it stays away."""

    plugin: str
    error: str
    since: datetime
    last_at: datetime
    lasts: bool


@dataclass(frozen=True)
class NotifierState:
    """A notifier that a route names.

    exists: whether a plugin offers it. is_log: it writes to a log, so it reaches nobody by itself.
    failure: None where its last message was delivered, or where it has sent none.
    """

    name: str
    exists: bool = True
    is_log: bool = False
    failure: Failure | None = None


@dataclass(frozen=True)
class RouteState:
    """A route. notifiers: their names, in order. is_configured: config.toml has it."""

    name: str
    notifiers: tuple[str, ...]
    is_configured: bool = False


@dataclass(frozen=True)
class HangingProbe:
    """A probe whose check did not return in time and still runs."""

    name: str
    since: datetime


@dataclass(frozen=True)
class Backlog:
    """Events that wait for triage, more than are usual. since: from when on there were so many."""

    events: int
    since: datetime


@dataclass(frozen=True)
class SetAside:
    """Events that could not be triaged. problem: of the last one."""

    count: int
    since: datetime
    last_at: datetime
    problem: str


@dataclass(frozen=True)
class SelfState:
    """The state of all parts. What a process does not run, such as loops, is empty.

    started_at: when this process began. store_failure: why the store cannot be written.
    intake_full_since: since when events are refused, as too many wait.
    store_excess: that the store is above [store] max_bytes and nothing more may be deleted.
    lacks_probes: whether there should be a probe and is none. backlog: None while triage keeps up.
    """

    started_at: datetime
    store_failure: Failure | None = None
    loops: Sequence[LoopState] = ()
    listeners: Sequence[ListenerState] = ()
    rejected_rules: RejectedRules | None = None
    switched_off_rules: Sequence[SwitchedOffRule] = ()
    waiting_evaluation: WaitingEvaluation | None = None
    plugins: Sequence[PluginFailure] = ()
    notifiers: Sequence[NotifierState] = ()
    routes: Sequence[RouteState] = ()
    hanging_probes: Sequence[HangingProbe] = ()
    set_aside: SetAside | None = None
    intake_full_since: datetime | None = None
    store_excess: Failure | None = None
    lacks_probes: bool = False
    backlog: Backlog | None = None
