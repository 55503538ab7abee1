"""What plugins give the host: plain typed values, so that a plugin can be tested without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from firstcause.core.model import Event, Notification, Reading, Scalar

Check = Callable[[], Reading]
Send = Callable[[Notification], str | None]


@dataclass(frozen=True)
class Probe:
    """Looks at one component and says how it is.

    name: unique among probes; what `verify: {probe: ...}` in the catalog names.
    component: the component of the rule files that it watches.
    check: returns a Reading; an exception counts as DOWN with `code`. Runs in a thread of its own.
    code: the error reported where the check raised, hung, or gave no code of its own.
    interval, timeout: seconds. jitter: a share of the interval by which its moments vary.
    close: frees what the check keeps, such as a connection; called when the program ends.
    action: what the button that runs it says; None for "Test NAME connection now".
    """

    name: str
    component: str
    check: Check
    code: str
    interval: float = 60.0
    timeout: float = 10.0
    jitter: float = 0.1
    close: Callable[[], None] | None = None
    action: str | None = None

    @property
    def button(self) -> str:
        return self.action or f"Test {self.name} connection now"


@dataclass(frozen=True)
class Notifier:
    """Tells people.

    send: delivers, and returns the receiver's reference for it (a message id), or None. It raises
        firstcause.DeliveryError where it could not; any other exception counts as one to retry.
    stands_on: components without which it cannot deliver; where the incident is about one of them,
        the next notifier of the route takes over.
    last_resort: comes after all others where no route is configured.
    default: False where it speaks only in routes that name it, as what wakes people should.
    timeout: seconds for one delivery.
    """

    name: str
    send: Send
    stands_on: frozenset[str] = frozenset()
    last_resort: bool = False
    default: bool = True
    timeout: float = 15.0


@dataclass(frozen=True)
class Enrichment:
    """What a plugin adds to an event. None and empty leave it as it was; details and tags are merged."""

    tenant: str | None = None
    service: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FactContext:
    """What a plugin may know when it supplies facts: the codes and tenants with active alerts."""

    codes: frozenset[str]
    tenants: frozenset[str]


@dataclass(frozen=True)
class SuppliedFact:
    """A further fact for rules. kind: a word of the plugin's own, or one that docs/rules.md lists."""

    kind: str
    fields: Mapping[str, Scalar | None]


@dataclass(frozen=True)
class EventContext:
    """What a plugin may know of an event's surroundings: whether the catalog has its code."""

    catalogued: bool


@dataclass(frozen=True)
class Remedy:
    """Mends something. plan says what would be done; run does it and returns one line for a person."""

    name: str
    component: str
    plan: Callable[[], str]
    run: Callable[[], str]


@dataclass(frozen=True)
class IntakeFormat:
    """A further input format. parse gets the body, unpacked, and the headers (lower case), returns events.

    path: served as POST under /api/v1/webhooks/<path>. also: whole paths of tools that cannot be told where
    to send, such as /api/v2/alerts; {name} stands for any part of one. The path that was asked for is among
    the headers as `:path`. A body that parse cannot read raises IntakeError, which says why.
    """

    path: str
    parse: Callable[[bytes, Mapping[str, str]], list[Event]]
    also: tuple[str, ...] = ()
