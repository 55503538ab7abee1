"""The framing of Sentry's envelopes: a line of JSON, then items, each a line of JSON and its payload."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstcause import IntakeError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_ITEMS = 10_000


@dataclass(frozen=True)
class Item:
    """type: `event`, `log`, `transaction` and so on; many are of no interest here."""

    type: str
    payload: bytes


def header(body: bytes) -> dict[str, Any]:
    """What the first line says of all items. IntakeError where it is no JSON object."""
    return _header(_line(body, 0)[0], "the envelope's header")


def items(body: bytes) -> Iterator[Item]:
    """IntakeError where the framing is broken."""
    first, at = _line(body, 0)
    _header(first, "the envelope's header")
    for number in range(_MOST_ITEMS):
        while body[at : at + 1] == b"\n":
            at += 1
        if at >= len(body):
            return
        line, at = _line(body, at)
        said = _header(line, f"the header of item {number}")
        length = said.get("length")
        if length is None:
            # Node's SDK gives none; the payload then is one line.
            payload, at = _line(body, at)
        else:
            if not isinstance(length, int) or length < 0 or at + length > len(body):
                msg = f"item {number} says that it has {length!r} bytes, and {len(body) - at} are left"
                raise IntakeError(msg)
            payload, at = body[at : at + length], at + length
        yield Item(str(said.get("type")), payload)
    msg = f"the envelope has more than {_MOST_ITEMS} items"
    raise IntakeError(msg, 413)


def _line(body: bytes, at: int) -> tuple[bytes, int]:
    """What there is up to the end of the line, and where the next begins."""
    end = body.find(b"\n", at)
    return (body[at:], len(body)) if end < 0 else (body[at:end], end + 1)


def _header(line: bytes, what: str) -> dict[str, Any]:
    found = document(line, what)
    if not isinstance(found, dict):
        msg = f"{what} is no JSON object"
        raise IntakeError(msg)
    return found


def document(text: bytes, what: str) -> Any:
    """IntakeError where it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{what} is no JSON: {type(error).__name__}"
        raise IntakeError(msg) from None
