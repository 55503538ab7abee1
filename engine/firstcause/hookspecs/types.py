"""What plugins return: plain typed values, so that a plugin can be tested without firstcause running."""

from __future__ import annotations

import threading  # noqa: TC003 - the host checks the fields by their annotations
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from firstcause.core.model import Event, Scalar
from firstcause.core.notification import Notification
from firstcause.core.reading import Reading

MIN_INTERVAL_S = 0.1
"""Seconds: a probe that runs more often would do nothing else."""

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S(?:[^\x00-\x1f]*\S)?$")]
"""The name of a probe, notifier, remedy or listener: on one line, without blanks at its ends."""

Check = Callable[[], Reading]
Send = Callable[[Notification], str | None]


@dataclass(frozen=True)
class Probe:
    """Checks one component and reports its status.

    name: unique among probes; what `verify: {probe: ...}` in the catalog names.
    component: the component of the rule files that it watches.
    check: returns a Reading; an exception counts as DOWN with `code`. Runs in a thread of its own.
    code: the error reported where the check raised, hung, or gave no code of its own.
    interval, timeout: seconds. jitter: share of the interval by which the time of a check varies.
    close: frees what the check keeps, such as a connection; called when the program ends.
    button_label: text of the button that runs the probe; None means "Test NAME connection now".
    """

    name: Name
    component: str
    check: Check
    code: str
    interval: Annotated[float, Field(ge=MIN_INTERVAL_S, allow_inf_nan=False)] = 60.0
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.1
    close: Callable[[], None] | None = None
    button_label: str | None = None

    @property
    def button(self) -> str:
        return self.button_label or f"Test {self.name} connection now"


class DeliveryState(StrEnum):
    """What became of a message that the receiver's service had accepted."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class DeliveryReport:
    """A service's report about a message that it accepted. error: why it failed, None if it did not."""

    state: DeliveryState
    error: str | None = None


@dataclass(frozen=True)
class Notifier:
    """Sends notifications to people.

    send: delivers, and returns the receiver's reference (such as a message id), or None. It raises
        firstcause.DeliveryError if it could not deliver; any other exception is retried.
    depends_on: components without which it cannot deliver; if the incident is about one of them, the
        next notifier of the route is used.
    last_resort: used after all others if no route is configured; default_limit does not apply to it. For
        a log, which wakes nobody.
    default: False if only routes that name it use it, as for a notifier that wakes people.
    timeout: seconds for one call.
    find_sent: looks up whether an earlier attempt has delivered a message, and returns its reference, or None
        if it did not find the message. It is called before a message is sent again whose last attempt is in
        doubt: no answer came in time, or firstcause stopped. It gets the notification that would be sent,
        with the texts of the earlier attempts and the time of the first of them (`attempted_texts`,
        `attempted_at`). If it returns a reference, the message is not sent again. If it raises, the message
        counts as not found. None if there is nothing to ask.
    check_delivery: asks what became of a message that `send` delivered; gets the reference that `send`
        returned. It is called some minutes later, and again while the message is pending. If the message
        failed, the next notifier of the route is used. An exception counts as pending. None if there is
        nothing to ask.
    """

    name: Name
    send: Send
    depends_on: frozenset[str] = frozenset()
    last_resort: bool = False
    default: bool = True
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 15.0
    find_sent: Callable[[Notification], str | None] | None = None
    check_delivery: Callable[[str], DeliveryReport] | None = None


@dataclass(frozen=True)
class Enrichment:
    """What a plugin adds to an event. None and empty change nothing; details and tags are merged."""

    tenant: str | None = None
    service: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FactContext:
    """What a plugin is given when it supplies facts: the codes and tenants with active alerts."""

    codes: frozenset[str]
    tenants: frozenset[str]


@dataclass(frozen=True)
class SuppliedFact:
    """A fact for rules. kind: a word of the plugin's own, or one that docs/rules.md lists.

    id: what rules see as `id`, such as the name of a queue; no two facts of a plugin have the same. None: one
    is made.
    """

    kind: str
    fields: Mapping[str, Scalar | None]
    id: str | None = None


@dataclass(frozen=True)
class EventContext:
    """What a plugin is given along with an event. catalogued: whether the catalog has its code."""

    catalogued: bool


@dataclass(frozen=True)
class Remedy:
    """A fix that can be run. plan: describes what it would do. run: does it and returns one line."""

    name: Name
    component: str
    plan: Callable[[], str]
    run: Callable[[], str]


@dataclass(frozen=True, order=True)
class RejectedItem:
    """An item that was rejected. index: its position in the request, from 0. status: the HTTP status."""

    index: int
    error: str
    status: int = 422


@dataclass(frozen=True)
class IntakeResult:
    """What a request held, for formats whose requests hold several items, or more than errors.

    ignored: kind of item that is not an error -> how many.
    dropped_by_sender: reason -> how many errors the sender reports to have dropped itself.
    rejected: items that are not accepted. The others are stored; the response names these. If no event is
        left, the request is refused with the status of the first.
    positions: of each event its position in the request, from 0; empty means that they are in their places.
    All are counted, and shown by `status`. `parse_items` makes such a result from a list of items.
    """

    events: Sequence[Event] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    dropped_by_sender: Mapping[str, int] = field(default_factory=dict)
    rejected: Sequence[RejectedItem] = ()
    positions: Sequence[int] = ()

    def __post_init__(self) -> None:
        if self.positions and len(self.positions) != len(self.events):
            msg = f"there are {len(self.positions)} positions for {len(self.events)} events"
            raise ValueError(msg)


@dataclass(frozen=True)
class IntakeOutcome:
    """The outcome of a request.

    status: the HTTP status of our own response.
    accepted: how many events are on disk now. ids: their ids.
    rejected: (index in the request, reason) of each rejected event.
    error: why the whole request was refused; None if it was not.
    retry_after: seconds after which to retry; None if a retry does not help.
    """

    status: int
    accepted: int = 0
    ids: tuple[str, ...] = ()
    rejected: tuple[tuple[int, str], ...] = ()
    error: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class IntakeResponse:
    """The HTTP response to a sender. A `body` that is not bytes is sent as JSON."""

    status: int
    body: bytes | Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class IntakeFormat:
    """A format of requests that a plugin parses into events.

    path: served as POST under /api/v1/webhooks/<path>.
    parse: gets the decompressed body and the headers (lower case), with the request's path as `:path` and
        its query string as `:query`. It returns events, or raises IntakeError if it cannot parse the body.
    extra_paths: whole paths, for tools whose path cannot be configured, such as /api/v2/alerts; {name}
        matches any one part of a path.
    answer: makes the response for senders that expect another one than ours, from the outcome and the
        request's headers; None, as field or as result, means our own response.
    token: finds a token elsewhere than in `Authorization`; gets the headers, and the first 64 KiB of the
        unpacked body, empty before it was read. It raises IntakeError if what it finds is malformed.
    origins: sites whose pages may send from a browser, such as https://shop.example.org; "*" means any.
    methods: HTTP methods that senders use.
    """

    path: str
    parse: Callable[[bytes, Mapping[str, str]], Sequence[Event] | IntakeResult]
    extra_paths: tuple[str, ...] = ()
    answer: Callable[[IntakeOutcome, Mapping[str, str]], IntakeResponse | None] | None = None
    token: Callable[[bytes, Mapping[str, str]], str | None] | None = None
    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("POST",)


Submit = Callable[[Sequence[Event] | IntakeResult], None]


@dataclass(frozen=True)
class Listener:
    """Receives events by another way than HTTP, such as syslog.

    run: called in a thread of its own; listens until `stop` is set. If it raises or returns earlier, it is
        called again after a pause. `submit` takes events, or an IntakeResult whose other items are then
        counted. It returns when the events are on disk. It raises IntakeError if
        they are refused (retry_after says when to retry), and another FirstcauseError if they cannot be
        stored.
    """

    name: Name
    run: Callable[[Submit, threading.Event], None]
