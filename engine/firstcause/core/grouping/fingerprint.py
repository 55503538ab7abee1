"""Identifies the error of an event: its code, catalog entry, and the fingerprint of all its occurrences."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from firstcause.core.grouping.error_title import (
    begins_stack,
    derive_title,
    extract_words,
    first_line,
    may_hold_stack,
)
from firstcause.core.grouping.exception_group import tell_by_member
from firstcause.core.grouping.message_template import MAX_LINE_LENGTH, extract_template
from firstcause.core.grouping.parts import DEFAULT_PART_POLICY, PartPolicy, compute_part_key
from firstcause.core.grouping.raised_exception import parse_exception_type, short_type_name
from firstcause.core.grouping.stack_trace import parse_trace, trim_middle
from firstcause.core.model import DEFAULT_GROUPING, Event, Severity
from firstcause.core.text.words import split_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from firstcause.core.catalog import Catalog, Entry
    from firstcause.core.text.similarity import NearestEntry

UNCATALOGUED = "UNCATALOGUED"
"""The code of an error that has no code and that no catalog entry matches."""

_GROUPING_VERSION = "2"
"""The version of the rules by which errors are grouped; a part of every digest.

A change that groups errors differently takes the next number: old and new fingerprints then never collide.
"""

_DIGEST_CACHE_SIZE = 10_000
# What is not a word: ids, numbers, quoted values. Each alternative is linear.
_NON_WORD = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]+)*|\d+|\"[^\"]{0,200}\"|'[^']{0,200}'")


class Occurrence(NamedTuple):
    """An event and the error that it is an occurrence of.

    fault: shared by all tenants that report the same error.
    likeness: similarity of the message to the words of the entry, None if code or pattern identified it.
    received_at: when it arrived, by our own clock; None means at its own time.
    labels, part: what tells its part of the alert from others, and the key of that part.
    own_fingerprint: of the error itself, None unless a limit made the error count in another alert.
    group_title: of that other alert.
    """

    event: Event
    code: str
    severity: Severity
    fault: str
    fingerprint: str
    entry: Entry | None = None
    likeness: float | None = None
    own_fingerprint: str | None = None
    received_at: datetime | None = None
    labels: Mapping[str, str] = MappingProxyType({})
    part: str = ""
    group_title: str | None = None

    @property
    def title(self) -> str:
        """The title of an alert that this occurrence opens; most occurrences open none."""
        if self.group_title is not None:
            return self.group_title
        return self.entry.title if self.entry else _derive_title(self.event) or self.code

    @property
    def arrival(self) -> datetime:
        return self.received_at or self.event.time


class _TraceReading(NamedTuple):
    """What is kept of a parsed stack. message: None if type and frames tell the error apart without it."""

    key: tuple[str, ...]
    title: str
    message: str | None


def identify(
    event: Event,
    catalog: Catalog,
    policy: PartPolicy = DEFAULT_PART_POLICY,
    received_at: datetime | None = None,
) -> Occurrence:
    """Identify the error of an event: by its code, else by the patterns of the catalog, else by its words.

    A code that the catalog does not know is kept.

    policy: which labels tell the parts of an alert apart. received_at: when the event arrived.
    """
    event = tell_by_member(event, catalog)
    labels = policy.select_labels(event)
    entry = (
        catalog.get(event.code) or _match_alert_name(event, catalog)
        if event.code
        else catalog.match_message(event.message)
    )
    nearest = None if entry or event.code else _find_nearest(event.message, catalog)
    if nearest is not None:
        entry = catalog.get(nearest.code)
    code = entry.code if entry else event.code or UNCATALOGUED
    fault = (
        _hash_parts("drill", event.id) if event.drill else fault_of(code, event, catalogued=entry is not None)
    )
    return Occurrence(
        event=event,
        code=code,
        severity=event.severity or (entry.severity if entry else Severity.WARNING),
        fault=fault,
        fingerprint=event.ends_alert or _hash_parts(fault, event.tenant or "", event.service or ""),
        entry=entry,
        likeness=nearest.score if nearest else None,
        received_at=received_at,
        labels=labels,
        part=compute_part_key(labels),
    )


def _match_alert_name(event: Event, catalog: Catalog) -> Entry | None:
    """Find the entry of an alert rule: its name says what it is about, as a message does.

    What an exporter reports is about another component, which mostly has said it itself before: a known code
    would make the exporter the root.
    """
    labels = event.details.get("labels")
    if isinstance(labels, dict) and (event.service or "").endswith("exporter"):
        return None
    name = labels.get("alertname") if isinstance(labels, dict) else None
    if not isinstance(name, str) and event.message and event.code:
        is_name = event.message.replace("_", "").lower() == event.code.replace("_", "").lower()
        name = event.message if is_name else None
    if not isinstance(name, str):
        return None
    return catalog.match_message(name[:200]) or catalog.match_message(split_words(name[:200]))


def _find_nearest(message: str | None, catalog: Catalog) -> NearestEntry | None:
    text = _NON_WORD.sub(" ", first_line(message)[:1000]).strip()
    return catalog.find_nearest(text) if text else None


def fault_of(code: str, event: Event, *, catalogued: bool) -> str:
    """Compute the fault of an error, which all tenants share.

    A catalogued error is one fault in all services, any other error one fault a service. Without a code the
    stack tells errors apart (exception type and locations), else the template of the message. If the sender
    says what tells its errors apart, that holds.
    """
    own_key = _build_own_key(code, event, catalogued=catalogued)
    if not event.grouping or event.grouping == (DEFAULT_GROUPING,):
        return _hash_parts(*own_key)
    parts = [part for item in event.grouping for part in (own_key if item == DEFAULT_GROUPING else (item,))]
    return _hash_parts("grouping", code, "" if catalogued else event.service or "", *parts)


def _build_own_key(code: str, event: Event, *, catalogued: bool) -> tuple[str, ...]:
    if catalogued:
        return "code", code
    if event.code is not None:
        return "code", code, *([event.service] if event.service else [])
    return *_build_grouping_key(event), event.service or ""


def _build_grouping_key(event: Event) -> tuple[str, ...]:
    trace = _read_trace(event)
    if trace is None:
        return "text", _build_template(event.message or event.stack or "")
    exception_name = event.details.get("exception.type", event.details.get("exception"))
    exception_type = (
        short_type_name(exception_name)
        if isinstance(exception_name, str)
        else parse_exception_type(first_line(event.message))
    )
    type_name = trace.key[0] or exception_type
    key = ("stack", type_name, *trace.key[1:])
    if trace.message is None and type_name:
        return key
    return *key, ":", _build_template(trace.message or (event.message if event.stack else "") or "")


def _derive_title(event: Event) -> str:
    if not event.message and event.code:
        return ""  # A code says more than a stack.
    return derive_title(event.message, lambda: _read_trace(event))


def _read_trace(event: Event) -> _TraceReading | None:
    """Read the stack of an event, which may be in its message, or begin with it."""
    text = event.stack
    if event.message and (begins_stack(event.message) if text else may_hold_stack(event.message)):
        is_split = text is not None and first_line(event.message) not in text
        text = f"{event.message}\n{text}" if is_split else text or event.message
    return _read_stack(trim_middle(text)) if text else None


def _build_template(text: str) -> str:
    # Long texts are rare, and would fill the cache.
    return _extract_template(text) if len(text) <= MAX_LINE_LENGTH else _extract_template.__wrapped__(text)


@lru_cache(maxsize=8192)
def _extract_template(text: str) -> str:
    return extract_template(extract_words(text)[:MAX_LINE_LENGTH])


@lru_cache(maxsize=256)
def _read_stack(stack: str) -> _TraceReading | None:
    trace = parse_trace(stack)
    if trace is None:
        return None
    return _TraceReading(trace.key, trace.title, trace.last.message if trace.needs_message else None)


def overflow_fingerprint(service: str | None) -> tuple[str, str]:
    """Return fault and fingerprint of the overflow alert of a service."""
    fault = _hash_parts("further", service or "")
    return fault, _hash_parts(fault, "", service or "")


def further_tenants_fingerprint(fault: str) -> str:
    """Return the fingerprint of the alert in which the further tenants of an error count."""
    return _hash_parts("further tenants", fault)


def silent_fingerprint(component: str, tenant: str | None) -> tuple[str, str]:
    """Return fault and fingerprint of the alert that stands for a silent component."""
    fault = _hash_parts("silent", component)
    return fault, _hash_parts(fault, tenant or "", component)


@lru_cache(_DIGEST_CACHE_SIZE)
def _hash_parts(*parts: str) -> str:
    text = "\x1f".join((_GROUPING_VERSION, *parts))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=10).hexdigest()
