"""Which error an event is: its code, its catalog entry, and the fingerprint that it shares with its like."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from firstcause.core.grouping.message_template import LONGEST, template
from firstcause.core.grouping.stack_trace import called, ends_of, kind_of, trace_of
from firstcause.core.model import Event, Severity

if TYPE_CHECKING:
    from firstcause.core.catalog import Catalog, Entry
    from firstcause.core.text.similarity import Found

UNCATALOGUED = "UNCATALOGUED"
"""The code of an error that came with no code and that no catalog pattern fits."""

_VERSION = "1"
_GROUPING = "2"
"""The version of what tells errors apart that have neither code nor entry; core.former has those before."""

_TITLE = 160
_REMEMBERED = 10_000
# No words: ids, numbers, quoted values. Each alternative is linear.
_WORDLESS = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]+)*|\d+|\"[^\"]{0,200}\"|'[^']{0,200}'")


class Occurrence(NamedTuple):
    """An event and what it is an occurrence of. fault: shared by all tenants that report the same error.

    likeness: how like the message is to the entry's words, where no more than that speaks for the entry.
    further: the fingerprint of its own, where there are too many kinds and it counts as one of the rest.
    """

    event: Event
    code: str
    title: str
    severity: Severity
    fault: str
    fingerprint: str
    entry: Entry | None = None
    likeness: float | None = None
    further: str | None = None


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
    text = _WORDLESS.sub(" ", first_line(message)[:1000]).strip()
    return catalog.nearest(text) if text else None


def fault_of(code: str, event: Event, *, catalogued: bool) -> str:
    """A catalogued error is one fault wherever it is seen; of others we know that within a service only.

    Without a code it is what was raised and where, if there is a stack, else the template of the message.
    """
    if catalogued:
        return _digest("code", code)
    if event.code is not None:
        return _digest("code", code, *([event.service] if event.service else []))
    return _digest(_GROUPING, *_kind(event), event.service or "")


def _kind(event: Event) -> tuple[str, ...]:
    message = event.message or ""
    stack = event.stack or (message if "\n" in message else "")
    raised = _raised(ends_of(stack)) if stack else ()
    if not raised:
        return "text", _template(first_line(message or stack)[:LONGEST])
    given = event.details.get("exception.type", event.details.get("exception"))
    said = kind_of(given) if isinstance(given, str) else called(first_line(message))
    return "stack", raised[0] or said, *raised[1:]


@lru_cache(maxsize=8192)
def _template(line: str) -> str:
    return template(line)


@lru_cache(maxsize=256)
def _raised(stack: str) -> tuple[str, ...]:
    trace = trace_of(stack)
    return trace.key if trace is not None else ()


def further(service: str | None) -> tuple[str, str]:
    """Fault and fingerprint of the alert for the errors of a service that are of too many kinds."""
    fault = _digest("further", service or "")
    return fault, _digest(fault, "", service or "")


def silent_fingerprint(component: str, tenant: str | None) -> tuple[str, str]:
    """Fault and fingerprint of the alert that stands for a component which itself reports nothing."""
    fault = _digest("silent", component)
    return fault, _digest(fault, tenant or "", component)


def first_line(message: str | None) -> str:
    return (message or "").strip().partition("\n")[0]


def _title(message: str | None) -> str:
    line = first_line(message)
    if line.startswith("Traceback "):
        line = (message or "").strip().rpartition("\n")[2]
    return line if len(line) <= _TITLE else line[: _TITLE - 3] + "..."


@lru_cache(_REMEMBERED)
def _digest(*parts: str) -> str:
    text = "\x1f".join((_VERSION, *parts))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=10).hexdigest()
