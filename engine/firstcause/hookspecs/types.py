"""What plugins give the host: plain typed values, so that a plugin can be tested without one."""

from __future__ import annotations

import threading  # noqa: TC003 - the host checks the fields by their annotations
from collections.abc import Callable, Mapping, Sequence
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
    button_label: str | None = None

    @property
    def button(self) -> str:
        return self.button_label or f"Test {self.name} connection now"


@dataclass(frozen=True)
class Notifier:
    """Tells people.

    send: delivers, and returns the receiver's reference for it (a message id), or None. It raises
        firstcause.DeliveryError where it could not; any other exception counts as one to retry.
    stands_on: components without which it cannot deliver; where the incident is about one of them,
        the next notifier of the route takes over.
    last_resort: comes after all others where no route is configured, and has no limit but one that is
        written: a log, which wakes nobody.
    default: False where it speaks only in routes that name it, as what wakes people should.
    timeout: seconds for one delivery.
    """

    name: str
    send: Send
    depends_on: frozenset[str] = frozenset()
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
class IntakeResult:
    """What a request brought, for a format that has more in it than errors.

    passed: what was let go, by its kind -> how many. lost: what the sender says that it dropped itself
    before it came to us, by its reason -> how many. Both are counted, and shown by `status`.
    """

    events: Sequence[Event] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    dropped_by_sender: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class IntakeOutcome:
    """What became of a request. status: the HTTP status that we would answer.

    accepted: how many events are on disk now; ids: theirs. rejected: (place in the request, reason).
    error: why nothing of it was taken. retry_after: seconds after which to try again.
    """

    status: int
    accepted: int = 0
    ids: tuple[str, ...] = ()
    rejected: tuple[tuple[int, str], ...] = ()
    error: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class IntakeResponse:
    """How a sender is answered over HTTP. A value of `body` that is no bytes is sent as JSON."""

    status: int
    body: bytes | Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class IntakeFormat:
    """A further input format. parse gets the body, unpacked, and the headers (lower case), returns events.

    path: served as POST under /api/v1/webhooks/<path>. also: whole paths of tools that cannot be told where
    to send, such as /api/v2/alerts; {name} stands for any part of one. The path that was asked for is among
    the headers as `:path`, what follows its question mark as `:query`. A body that parse cannot read raises
    IntakeError, which says why.

    answer: for senders that expect another answer than ours; it gets the request's headers too, and gives
    None where ours will do.
    token: where else than in `Authorization` a request may bring its token; it gets the body, empty before
    that is read, and the headers, and raises IntakeError where what it finds makes no sense.
    origins: sites whose pages may send from a browser, such as https://shop.example.org; "*" is any.
    """

    path: str
    parse: Callable[[bytes, Mapping[str, str]], Sequence[Event] | IntakeResult]
    extra_paths: tuple[str, ...] = ()
    answer: Callable[[IntakeOutcome, Mapping[str, str]], IntakeResponse | None] | None = None
    token: Callable[[bytes, Mapping[str, str]], str | None] | None = None
    origins: tuple[str, ...] = ()


Submit = Callable[[Sequence[Event]], None]


@dataclass(frozen=True)
class Listener:
    """Takes what comes by another way than HTTP, such as syslog.

    run: called in a thread of its own; listens until `stop` is set. `submit` returns when the events are on
    disk; it raises IntakeError where they are not taken (retry_after says when they might be), and any other
    FirstcauseError where they could not be stored. Where run raises or returns too early it is called again
    after a while.
    """

    name: str
    run: Callable[[Submit, threading.Event], None]
