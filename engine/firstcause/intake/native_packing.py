"""Packs events in firstcause's own format that cannot be stored as they came, such as those to be masked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from firstcause.core.model import SEVERITY_NAMES
from firstcause.errors import IntakeError
from firstcause.hookspecs.types import RejectedItem
from firstcause.intake.event_fields import create_strict_struct
from firstcause.intake.fast_path import FIELD_NAMES, is_acceptable
from firstcause.intake.native_format import build_event, build_scoped_id, correct_event_time, decode_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause.intake.event_packer import EventPacker

_KnownFields: Any = create_strict_struct(forbid_unknown_fields=False)
_KEPT_FIELDS = ("code", "message", "tenant", "service", "stack", "tags", "labels", "grouping")


def pack_native(
    packer: EventPacker,
    body: bytes,
    content_type: str,
    *,
    now: datetime,
    new_id: Callable[[], str],
    max_event_bytes: int,
) -> None:
    """Add the events of a body to a packer. An invalid event is rejected; the others are added.

    The parameters and errors are those of `native_format.parse`.
    """
    limit = max_event_bytes if len(body) > max_event_bytes else None
    for index, value in enumerate(decode_values(body, content_type)):
        values = read_plain_event(value, now, new_id)
        if values is not None and packer.add_plain(values):
            continue
        try:
            packer.add_sanitized(build_event(value, now, new_id, limit))
        except IntakeError as error:
            packer.reject(RejectedItem(index, str(error), error.status))


def read_plain_event(value: object, now: datetime, new_id: Callable[[], str]) -> dict[str, Any] | None:
    """Read an event of which no field has to be converted; None for any other.

    Returns its fields other than defaults. Whether its details can be stored is not checked.
    """
    try:
        incoming = msgspec.convert(value, _KnownFields)
        if not is_acceptable(incoming):
            return None
        sent_at = _parse_time(incoming.sent_at)
        sent_time = _parse_time(incoming.time)
        time, extra_details = (
            correct_event_time(sent_time, now, sent_at) if sent_time is not None else (now, {})
        )
        values: dict[str, Any] = {
            "id": build_scoped_id(incoming.id, incoming.service, incoming.tenant) or new_id(),
            "time": time,
        }
    except (ValueError, OverflowError, RecursionError):
        return None
    for name in _KEPT_FIELDS:
        if (field := getattr(incoming, name)) is not None:
            values[name] = field
    details: dict[str, Any] = dict(incoming.details or ())
    details |= {key: item for key, item in value.items() if key not in FIELD_NAMES}  # type: ignore[attr-defined]
    if details or extra_details:
        values["details"] = {**details, **extra_details}
    if incoming.source is not None:
        values["source"] = {
            name: item for name, item in msgspec.structs.asdict(incoming.source).items() if item is not None
        }
    if incoming.severity is not None:
        values["severity"] = SEVERITY_NAMES[incoming.severity.upper()]
    if incoming.resolved:
        values["resolved"] = True
    if sent_at is not None:
        values["sent_at"] = sent_at
    return values


def _parse_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
