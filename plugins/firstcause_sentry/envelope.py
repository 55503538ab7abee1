"""The framing of Sentry's envelopes: a line of JSON, then items, each a line of JSON and its payload."""

from __future__ import annotations

import base64
import binascii
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstcause import IntakeError, decode_json

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_ITEMS = 10_000
MAX_STORE_EVENT_BYTES = 4 * 1024 * 1024
"""Bytes of one event once it is unpacked."""


@dataclass(frozen=True)
class Item:
    """type: `event`, `log`, `transaction` and so on; many are of no interest here."""

    type: str
    payload: bytes


def parse_header(body: bytes) -> dict[str, Any]:
    """What the first line says of all items. IntakeError where it is not a JSON object."""
    return _parse_object(_read_line(body, 0)[0], "the envelope's header")


def iter_items(body: bytes) -> Iterator[Item | IntakeError]:
    """Iterate the items. If the framing is broken, the last is the error; those before it are good.

    IntakeError: the envelope has no header.
    """
    header_line, offset = _read_line(body, 0)
    _parse_object(header_line, "the envelope's header")
    try:
        yield from _iter_framed_items(body, offset)
    except IntakeError as error:
        yield error


def _iter_framed_items(body: bytes, offset: int) -> Iterator[Item]:
    for index in range(_MAX_ITEMS):
        while body[offset : offset + 1] == b"\n":
            offset += 1
        if offset >= len(body):
            return
        line, offset = _read_line(body, offset)
        item_header = _parse_object(line, f"the header of item {index}")
        length = item_header.get("length")
        if length is None:
            # Node's SDK gives none; the payload then is one line.
            payload, offset = _read_line(body, offset)
        else:
            if not isinstance(length, int) or length < 0 or offset + length > len(body):
                msg = f"item {index} claims {length!r} bytes, but only {len(body) - offset} are left"
                raise IntakeError(msg)
            payload, offset = body[offset : offset + length], offset + length
        yield Item(str(item_header.get("type")), payload)
    msg = f"the envelope has more than {_MAX_ITEMS} items"
    raise IntakeError(msg, 413)


def _read_line(body: bytes, offset: int) -> tuple[bytes, int]:
    """What there is up to the end of the line, and where the next begins."""
    end = body.find(b"\n", offset)
    return (body[offset:], len(body)) if end < 0 else (body[offset:end], end + 1)


def _parse_object(line: bytes, description: str) -> dict[str, Any]:
    value = parse_json(line, description)
    if not isinstance(value, dict):
        msg = f"{description} is not a JSON object"
        raise IntakeError(msg)
    return value


def decode_store_body(body: bytes) -> bytes:
    """Undo what old SDKs do to an event without saying so: zlib, then base64. Any other body stays."""
    if body.lstrip()[:1] in {b"{", b""}:
        return body
    with suppress(binascii.Error, zlib.error):
        inflater = zlib.decompressobj()
        event = inflater.decompress(base64.b64decode(body, validate=True), MAX_STORE_EVENT_BYTES)
        if inflater.eof:
            return event
    return body


def parse_json(text: bytes, description: str) -> Any:
    """IntakeError where it is not JSON."""
    try:
        return decode_json(text)
    except (ValueError, RecursionError) as error:
        msg = f"{description} is not JSON: {type(error).__name__}"
        raise IntakeError(msg) from None
