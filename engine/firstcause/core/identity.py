"""Which error an event is: its code, its catalog entry, and the fingerprint that it shares with its like."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from firstcause.core.catalog import Catalog, Entry
from firstcause.core.model import Event, Frozen, Severity

if TYPE_CHECKING:
    from firstcause.core.similarity import Found

UNCATALOGUED = "UNCATALOGUED"
"""The code of an error that came with no code and that no catalog pattern fits."""

_VERSION = "1"
_TITLE = 160
# What differs between occurrences of one fault: ids, numbers, quoted values. Each alternative is linear.
_VARIABLE = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]+)*|\d+|\"[^\"]{0,200}\"|'[^']{0,200}'")


class Occurrence(Frozen):
    """An event and what it is an occurrence of. fault: shared by all tenants that report the same error.

    likeness: how like the message is to the entry's words, where no more than that speaks for the entry.
    """

    event: Event
    code: str
    title: str
    severity: Severity
    fault: str
    fingerprint: str
    entry: Entry | None = None
    likeness: float | None = None


def identify(event: Event, catalog: Catalog) -> Occurrence:
    """By code, else by message: by pattern, else by words. A code that the catalog lacks is kept as it is."""
    entry = catalog.get(event.code) if event.code else catalog.by_message(event.message)
    alike = None if entry or event.code else _nearest(event.message, catalog)
    if alike is not None:
        entry = catalog.get(alike.code)
    code = entry.code if entry else event.code or UNCATALOGUED
    fault = _digest("drill", event.id) if event.drill else fault_of(code, event, catalogued=entry is not None)
    return Occurrence(
        event=event,
        code=code,
        title=entry.title if entry else _title(event.message) or code,
        severity=event.severity or (entry.severity if entry else Severity.WARNING),
        fault=fault,
        fingerprint=_digest(fault, event.tenant or "", event.service or ""),
        entry=entry,
        likeness=alike.score if alike else None,
    )


def _nearest(message: str | None, catalog: Catalog) -> Found | None:
    text = template(message or "").replace("*", " ").strip()
    return catalog.nearest(text) if text else None


def fault_of(code: str, event: Event, *, catalogued: bool) -> str:
    """A catalogued error is one fault wherever it is seen; of others we know that within a service only."""
    if catalogued:
        return _digest("code", code)
    if event.code is not None:
        return _digest("code", code, *([event.service] if event.service else []))
    return _digest("text", template(event.message or ""), event.service or "")


def silent_fingerprint(component: str, tenant: str | None) -> tuple[str, str]:
    """Fault and fingerprint of the alert that stands for a component which itself reports nothing."""
    fault = _digest("silent", component)
    return fault, _digest(fault, tenant or "", component)


def template(message: str) -> str:
    """The first line of a message with what varies between occurrences taken out."""
    return _VARIABLE.sub("*", message.strip().partition("\n")[0][:1000])


def _title(message: str | None) -> str:
    line = (message or "").strip().partition("\n")[0]
    return line if len(line) <= _TITLE else line[: _TITLE - 3] + "..."


def _digest(*parts: str) -> str:
    text = "\x1f".join((_VERSION, *parts))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=10).hexdigest()
