"""The table of fields that an event has in firstcause's own format.

Both readers of the format are made from this table. `native_format` reads every request and says what is
wrong with it. `fast_path` reads only events in which nothing has to be changed: they are stored as they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta, Struct
from pydantic import BaseModel, BeforeValidator, create_model

from firstcause.core.model import MaybeName, Severity, Source, Time

MAX_DEPTH, MAX_FIELDS, MAX_TEXT_LENGTH = 64, 10_000, 262_144
"""How deep an event may be nested, how many fields a part of it may have, and characters of a text."""


def _parse_instant(value: object) -> object:
    """Read ISO 8601 or seconds since 1970; a time without a zone is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return value
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _coerce_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


_Text = Annotated[str, Meta(max_length=MAX_TEXT_LENGTH)]
_CodeOrName = Annotated[str, Meta(min_length=1, max_length=200)] | None
_MaxFields = Meta(max_length=MAX_FIELDS)
_STRICT_DEPTH = 6
"""Levels of details that the strict reader takes: what is deeper is read otherwise."""


def _nest_values(depth: int) -> Any:
    """The type of a JSON value of at most so many levels, within the limits."""
    value: Any = _Text | int | float | bool | None
    for _ in range(depth):
        value = (
            _Text
            | int
            | float
            | bool
            | Annotated[list[value], _MaxFields]
            | Annotated[dict[_Text, value], _MaxFields]
            | None
        )
    return value


STRICT_OBJECT: Any = Annotated[dict[_Text, _nest_values(_STRICT_DEPTH)], _MaxFields]  # type: ignore[misc]
"""The type of a JSON object that is within the limits."""

_StrictSource = msgspec.defstruct(
    "_StrictSource",
    [
        (name, (_Text if str in get_args(field.annotation) else int) | None, None)
        for name, field in Source.model_fields.items()
    ],
    forbid_unknown_fields=True,
    gc=False,
)


@dataclass(frozen=True)
class EventField:
    """A field of an event as it is sent.

    lenient: the type that pydantic reads; it converts what it can.
    strict: the type that msgspec reads; nothing of it has to be converted, shortened or refused, except for
        what a type cannot say, which `fast_path` checks.
    default: the value where the field is missing.
    """

    name: str
    lenient: Any
    strict: Any
    default: Any = None


EVENT_FIELDS = (
    EventField(
        "id",
        Annotated[str | None, BeforeValidator(_coerce_text)],
        Annotated[str, Meta(min_length=1)] | None,
    ),
    EventField("time", Annotated[Time | None, BeforeValidator(_parse_instant)], str | None),
    EventField("code", MaybeName, _CodeOrName),
    EventField("message", str | None, Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_LENGTH)] | None),
    EventField("severity", Severity | None, str | None),
    EventField("tenant", MaybeName, _CodeOrName),
    EventField("service", MaybeName, _CodeOrName),
    EventField("details", dict[str, Any] | None, STRICT_OBJECT | None),
    EventField("source", Source | None, _StrictSource | None),
    EventField("stack", str | None, _Text | None),
    EventField(
        "tags",
        dict[str, Annotated[str, BeforeValidator(_coerce_text)]] | None,
        Annotated[dict[_Text, _Text], _MaxFields] | None,
    ),
    EventField(
        "labels",
        dict[str, Annotated[str, BeforeValidator(_coerce_text)]] | None,
        Annotated[dict[_Text, _Text], _MaxFields] | None,
    ),
    EventField("resolved", bool, bool, default=False),
    EventField("sent_at", Annotated[Time | None, BeforeValidator(_parse_instant)], str | None),
    EventField(
        "grouping",
        Annotated[
            tuple[Annotated[str, BeforeValidator(_coerce_text)], ...] | None,
            BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
        ],
        Annotated[list[_Text], _MaxFields] | None,
    ),
)


def create_lenient_model(base: type[BaseModel]) -> type[BaseModel]:
    """Make the pydantic model of an event as it is sent. Fields that are not in the table are extra ones."""
    fields: dict[str, Any] = {field.name: (field.lenient, field.default) for field in EVENT_FIELDS}
    return create_model("IncomingEvent", __base__=base, **fields)


def create_strict_struct(*, forbid_unknown_fields: bool = True) -> type[Struct]:
    """Make the msgspec struct of an event to be stored as it came; other fields are refused or skipped."""
    return msgspec.defstruct(
        "StrictEvent",
        [(field.name, field.strict, field.default) for field in EVENT_FIELDS],
        forbid_unknown_fields=forbid_unknown_fields,
        gc=False,
    )
