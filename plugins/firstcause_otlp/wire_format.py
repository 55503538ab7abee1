"""Decodes protobuf's wire format into plain dicts, in the shape of OTLP's JSON: no library is needed."""

from __future__ import annotations

import base64
import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAX_DEPTH = 100
"""Messages within messages, as in protobuf's own decoders."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""The wire types; 3 and 4 have not been written for twenty years."""

_MAX_VARINT_BYTES, _MAX_VARINT_BYTE = 10, 0x7F
"""Bytes of a number, and the largest after which none follows."""

_FIRST_TAG = 8
_UINT64_MASK, _UINT32_MASK = (1 << 64) - 1, (1 << 32) - 1
_SIGN_BIT_64, _SIGN_BIT_32 = 1 << 63, 1 << 31


class WireFormatError(ValueError):
    """The bytes are not a message."""


@dataclass(frozen=True)
class WireField:
    """A field. convert: makes its JSON value of an integer or of bytes, by its wire type.

    message: the type of a field that is a message; convert does not matter then.
    """

    name: str
    wire_type: int
    convert: Callable[[Any], Any] = lambda value: value
    message: WireMessage | None = None
    repeated: bool = False


@dataclass
class WireMessage:
    """A type of message. is_oneof: at most one of its fields is set, the last, and stays if it is empty.

    Fields that it does not list are skipped.
    """

    fields: dict[int, WireField] = field(default_factory=dict)
    is_oneof: bool = False

    def add_fields(self, fields: Mapping[int, WireField]) -> WireMessage:
        """Add fields by their numbers; later, since messages may hold themselves."""
        self.fields.update({number << 3 | item.wire_type: item for number, item in fields.items()})
        return self

    def decode(self, data: bytes) -> dict[str, Any]:
        """Decode a message. WireFormatError where it is none."""
        try:
            return _decode_message(data, 0, len(data), self, {}, 0)
        except (IndexError, struct.error, UnicodeDecodeError, OverflowError) as error:
            raise WireFormatError(type(error).__name__) from None


def text(name: str, *, repeated: bool = False) -> WireField:
    return WireField(name, _BYTES, lambda data: str(data, "utf-8"), repeated=repeated)


def hexadecimal(name: str) -> WireField:
    """Bytes that OTLP's JSON writes as hexadecimal digits, other than all others."""
    return WireField(name, _BYTES, bytes.hex)


def octets(name: str) -> WireField:
    return WireField(name, _BYTES, lambda data: base64.b64encode(data).decode())


def message(name: str, kind: WireMessage, *, repeated: bool = False) -> WireField:
    return WireField(name, _BYTES, message=kind, repeated=repeated)


def boolean(name: str) -> WireField:
    return WireField(name, _VARINT, bool)


def int64(name: str) -> WireField:
    """64 bits are a text in JSON."""
    return WireField(name, _VARINT, lambda value: str((value ^ _SIGN_BIT_64) - _SIGN_BIT_64))


def uint32(name: str) -> WireField:
    return WireField(name, _VARINT, lambda value: value & _UINT32_MASK)


def enum(name: str, names: Mapping[int, str]) -> WireField:
    """A number that JSON has by its name, if it has one."""

    def name_value(value: int) -> str | int:
        signed = ((value & _UINT32_MASK) ^ _SIGN_BIT_32) - _SIGN_BIT_32
        return names.get(signed, signed) if signed else 0

    return WireField(name, _VARINT, name_value)


def fixed64(name: str) -> WireField:
    return WireField(
        name, _FIXED64, lambda data: str(value) if (value := int.from_bytes(data, "little")) else ""
    )


def fixed32(name: str) -> WireField:
    return WireField(name, _FIXED32, lambda data: int.from_bytes(data, "little"))


def double(name: str) -> WireField:
    return WireField(name, _FIXED64, _convert_double)


def _convert_double(data: bytes) -> float | str:
    (value,) = struct.unpack("<d", data)
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _decode_message(
    data: bytes, position: int, end: int, kind: WireMessage, values: dict[str, Any], depth: int
) -> dict[str, Any]:
    """Decode a message into `values`, which may hold an earlier part of it."""
    if depth > _MAX_DEPTH:
        msg = "it is nested too deeply"
        raise WireFormatError(msg)
    fields, is_oneof = kind.fields, kind.is_oneof
    while position < end:
        tag = data[position]
        position += 1
        if tag > _MAX_VARINT_BYTE:
            tag, position = _read_varint(data, position - 1)
        raw, start, position = _read_value(data, position, end, tag)
        item = fields.get(tag)
        if item is None:
            continue
        name = item.name
        if item.message is not None:
            earlier = {} if item.repeated else values.get(name, {})
            value: Any = _decode_message(data, start, position, item.message, earlier, depth + 1)
        else:
            value = item.convert(raw)
        if item.repeated:
            values.setdefault(name, []).append(value)
            continue
        if is_oneof:
            values.clear()
        elif not value and item.message is None:
            # A default is as if it were not there.
            values.pop(name, None)
            continue
        values[name] = value
    return values


def _read_value(data: bytes, position: int, end: int, tag: int) -> tuple[Any, int, int]:
    """Read what follows a tag. Returns the value, where its bytes begin, and where the next tag is."""
    wire_type = tag & 7
    value: int | bytes
    if wire_type == _VARINT:
        value, after = _read_varint(data, position)
        start = position
    else:
        size, start = (8 if wire_type == _FIXED64 else 4), position
        if wire_type == _BYTES:
            size = data[position]
            start = position + 1
            if size > _MAX_VARINT_BYTE:
                size, start = _read_varint(data, position)
        elif wire_type not in (_FIXED64, _FIXED32):
            msg = f"wire type {wire_type}"
            raise WireFormatError(msg)
        after = start + size
        value = data[start:after]
    if after > end or tag < _FIRST_TAG:
        msg = "a field ends behind its message" if after > end else "a field has the number 0"
        raise WireFormatError(msg)
    return value, start, after


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    for index in range(_MAX_VARINT_BYTES):
        byte = data[position + index]
        value |= (byte & 0x7F) << shift
        if byte <= _MAX_VARINT_BYTE:
            return value & _UINT64_MASK, position + index + 1
        shift += 7
    msg = "a number is too long"
    raise WireFormatError(msg)
