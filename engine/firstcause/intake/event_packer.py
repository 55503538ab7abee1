"""Packs events into the bytes that the inbox stores, most of them by encoding them once.

An event of plain values within our limits is encoded, and one look at the bytes of all tells that they have
no secret. Any other event is made storable, refused or masked for itself; `store_slowly` is the definition of
what is stored, and the quick way only a shorter way to the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from firstcause.core.model import Event
from firstcause.errors import IntakeError
from firstcause.hookspecs.types import RejectedItem
from firstcause.intake.event_fields import MAX_FIELDS, MAX_TEXT_LENGTH
from firstcause.intake.native_format import MAX_EVENTS, correct_event_time, json_size, make_storable
from firstcause.store import inbox
from firstcause.store.inbox import EventPayload
from firstcause.store.statements import split_into_chunks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from firstcause.core.privacy.masking import Mask
    from firstcause.hookspecs.types import IntakeResult

_MAX_PLAIN_DEPTH = 40
"""Levels of details that are surely not too deep, neither for an event nor for the mask."""

_SIZE_MARGIN, _SIZE_FACTOR = 1000, 2
"""By how much an event may be larger as JSON than as it is stored: fields with defaults, other numbers."""

_GROUP_EVENTS = 10
"""Events that are looked at together, where a request is not clean as a whole."""

_OWN_FIELDS: dict[str, Any] = {"probe": None, "ends_alert": None, "ends_part": None, "drill": False}
"""What only firstcause itself may say: senders must not report in the name of its probes and drills."""

_SENDER_DEFAULTS = tuple(
    (name, default) for name, default in inbox.EVENT_DEFAULTS.items() if name not in _OWN_FIELDS
)
_TEXT_FIELDS, _DATA_FIELDS = frozenset({"message", "stack"}), frozenset({"details", "tags", "labels"})
_OTHER_MASKED_FIELDS = frozenset({"id", "code", "tenant", "service", "source", "grouping"})
_encoder = msgspec.json.Encoder()


@dataclass
class PackedRequest:
    """The events of a request as they are stored, and those that were rejected. ids: as the sender said."""

    payloads: list[EventPayload] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    rejected: list[RejectedItem] = field(default_factory=list)


class EventPacker:
    """Packs the events of one request.

    now: events that are further ahead than clocks differ get this time. max_event_bytes: of one event.
    overrides: what the sender's token says of all its events: `service`, `tenant`.
    """

    def __init__(
        self, mask: Mask, now: datetime, max_event_bytes: int, overrides: Mapping[str, str] | None = None
    ) -> None:
        self._mask = mask
        self._now = now
        self._max_event_bytes = max_event_bytes
        self._overrides = dict(overrides or {})
        self._ids: list[str] = []
        self._rejected: list[RejectedItem] = []
        self._documents: list[bytes] = []
        self._unmasked: dict[int, dict[str, Any]] = {}
        """The values of the documents that were not looked at for secrets, by their positions."""

    def add_plugin_events(self, result: IntakeResult) -> None:
        """Add what a plugin read; events that are too large or nested too deeply are rejected.

        The items that the plugin rejected stay rejected. Raises IntakeError 413 for more than MAX_EVENTS.
        """
        if len(result.events) > MAX_EVENTS:
            msg = f"the request has {len(result.events)} events, more than {MAX_EVENTS}; split it"
            raise IntakeError(msg, 413)
        self._rejected += result.rejected
        positions = result.positions or range(len(result.events))
        for index, event in zip(positions, result.events, strict=True):
            time, extra_details = correct_event_time(event.time, self._now, event.sent_at)
            values = _list_values(event)
            values["time"] = time
            if extra_details:
                values["details"] = {**values.get("details", {}), **extra_details}
            if not self.add_plain(values):
                self._add_slowly(index, event)

    def add_plain(self, values: dict[str, Any]) -> bool:
        """Add an event by its fields other than defaults; False, and nothing is added, where one is odd."""
        event_id = values["id"]
        if self._overrides:
            values.update(self._overrides)
        document = encode_plain(values)
        if document is None or _SIZE_FACTOR * len(document) + _SIZE_MARGIN > self._max_event_bytes:
            return False
        self._unmasked[len(self._documents)] = values
        self._documents.append(document)
        self._ids.append(event_id)
        return True

    def add_sanitized(self, event: Event) -> None:
        """Add an event that is storable and within our limits."""
        self._ids.append(event.id)
        masked = self._mask.mask_event(event.model_copy(update=self._overrides))
        self._documents.append(inbox.encode_event(masked).encode())

    def reject(self, item: RejectedItem) -> None:
        self._rejected.append(item)

    def finish(self) -> PackedRequest:
        """Mask what has to be masked, and make the payloads."""
        payloads = []
        for positions in split_into_chunks(range(len(self._documents)), inbox.MAX_PAYLOAD_EVENTS):
            body = self._join_documents(positions)
            if not self._mask.surely_clean(body):
                self._mask_documents(positions)
                body = self._join_documents(positions)
            payloads.append(EventPayload(body, len(positions)))
        return PackedRequest(payloads, self._ids, sorted(self._rejected))

    def _join_documents(self, positions: Sequence[int]) -> bytes:
        return b"[%b]" % b",".join(self._documents[positions[0] : positions[-1] + 1])

    def _mask_documents(self, positions: Sequence[int]) -> None:
        """Mask the events that need it. Most of a request are clean, so several are looked at together."""
        for group in split_into_chunks(positions, _GROUP_EVENTS):
            if not self._mask.surely_clean(self._join_documents(group)):
                for position in group:
                    self._mask_document(position)

    def _mask_document(self, position: int) -> None:
        values = self._unmasked.get(position)
        if values is None or self._mask.surely_clean(self._documents[position]):
            return
        masked = self._mask_values(values)
        self._documents[position] = (
            encode_plain(masked) or inbox.encode_event(Event.model_validate(masked)).encode()
        )

    def _mask_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Mask the fields of an event that are not clean for themselves, as the mask would mask all of it."""
        masked, mask = dict(values), self._mask
        for names, mask_value in ((_TEXT_FIELDS, mask.mask_text), (_DATA_FIELDS, mask.mask_data)):
            for name in names & values.keys():
                if not mask.surely_clean(_encoder.encode(values[name])):
                    masked[name] = mask_value(values[name])
        others = {name: value for name, value in values.items() if name in _OTHER_MASKED_FIELDS}
        if not mask.surely_clean(_encoder.encode(others)):
            event = mask.mask_event(Event.model_validate({"time": self._now, **others}))
            masked |= {name: getattr(event, name) for name in others}
            if event.source is not None:
                masked["source"] = event.source.model_dump(exclude_none=True)
        return masked

    def _add_slowly(self, index: int, event: Event) -> None:
        try:
            sanitized = sanitize_event(event, self._now, self._max_event_bytes)
        except IntakeError as error:
            self.reject(RejectedItem(index, str(error), error.status))
        else:
            self.add_sanitized(sanitized)


def _list_values(event: Event) -> dict[str, Any]:
    """The fields that are not as by default, and may be said by a sender."""
    fields = vars(event)
    values = {
        name: value
        for name, default in _SENDER_DEFAULTS
        if (value := fields[name]) is not default and value != default
    }
    source = values.get("source")
    if source is not None:
        values["source"] = {name: value for name, value in vars(source).items() if value is not None}
    return values


def encode_plain(values: Mapping[str, Any]) -> bytes | None:
    """Encode an event's values; None where something may have to be changed or refused to store it."""
    try:
        document = _encoder.encode(values)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    if len(document) > MAX_TEXT_LENGTH or b"\\u0000" in document:
        return None
    if len(document) > MAX_FIELDS and document.count(b",") >= MAX_FIELDS:
        return None
    return document if is_plain(values.get("details"), 0) else None


def is_plain(value: object, depth: int) -> bool:
    """Whether a value is JSON that is stored as it is, and not nested deeply."""
    kind = type(value)
    if kind is str or value is None or kind is int or kind is bool:
        return True
    if kind is float:
        return isfinite(value)  # type: ignore[arg-type]
    if depth >= _MAX_PLAIN_DEPTH:
        return False
    if kind is dict:
        return all(
            type(key) is str and (type(item) is str or is_plain(item, depth + 1))
            for key, item in value.items()  # type: ignore[attr-defined]
        )
    return kind is list and all(type(item) is str or is_plain(item, depth + 1) for item in value)  # type: ignore[attr-defined]


def sanitize_event(event: Event, now: datetime, max_event_bytes: int) -> Event:
    """Make an event of a plugin storable. Raises IntakeError 413 or 422 for one that is too large or deep."""
    try:
        storable_fields: dict[str, Any] = make_storable(event.model_dump(mode="json"))
    except (ValueError, RecursionError):
        # pydantic takes very deep nesting for a circular reference.
        msg = "the event is nested too deeply"
        raise IntakeError(msg, 422) from None
    if json_size(storable_fields) > max_event_bytes:
        msg = f"the event is over {max_event_bytes} bytes"
        raise IntakeError(msg, 413)
    time, extra_details = correct_event_time(event.time, now, event.sent_at)
    fields = {**storable_fields, "time": time, "details": {**storable_fields["details"], **extra_details}}
    return Event.model_validate(fields | _OWN_FIELDS)
