"""The text of a notification: a short form that fits one SMS, and the full message."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from firstcause.core.model import ForeignLine, Frozen, Priority, Severity
from firstcause.core.notification import NotifyReason
from firstcause.core.notify.message_facts import format_hits, shorten_step
from firstcause.core.sanitize import single_line
from firstcause.core.text.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_GSM7_SEPTETS = 160
"""Characters of one SMS in the GSM 7-bit alphabet (3GPP TS 23.038); those of its extension count twice."""
MAX_UCS2_UNITS = 70
"""UTF-16 units of one SMS that contains any other character."""

_GSM7_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_EXTENSION = frozenset("^{}\\[~]|€")
_GSM7_SUBSTITUTES = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u2022": "-",
        "\u2026": "...",
        "\u00a0": " ",
        "`": "'",
    }
)
_MAX_NAMED_COMPANIES = 2
_MIN_CUT_LENGTH = 30
"""Letters of a step that are worth reading although its end is missing."""
_REPEAT_MARK = " (may repeat)"
_REPEAT_NOTE = "You may have received this message before: an earlier attempt to send it got no answer."


@dataclass(frozen=True)
class _Part:
    """A part of a message. rank: the lowest gets its place first. may_be_cut: its beginning is of use too."""

    rank: int
    text: str
    may_be_cut: bool = False


class MessageContext(Frozen):
    """What a message is made of.

    now: when the message is sent.
    cause: the reason that the rule gave, None if no rule gave one.
    place: where the root is, as "at db-1 (billing)"; None where nobody said.
    raw_line: what the root reported. Both and the cause are None where the title says the same.
    hit_services: services with effects only. events: occurrences of all alerts.
    past_fix: what fixed the error before, and how well.
    duration: seconds from opening to resolution, None while the incident is open.
    more_urgent: whether the priority is higher than in the messages sent before.
    rhythm: how often the incident began and for how long, None if it does not flap.
    drill: whether this is a test alert.
    maybe_repeat: whether the message may have been sent before: no answer came, or firstcause stopped.
    merged: ids of the incidents that were merged into this one.
    """

    incident_id: str
    reason: NotifyReason
    severity: Severity
    priority: Priority
    code: ForeignLine
    title: ForeignLine
    opened_at: datetime
    now: datetime
    cause: ForeignLine | None = None
    companies: tuple[ForeignLine, ...] = ()
    companies_known: int = 0
    place: ForeignLine | None = None
    raw_line: ForeignLine | None = None
    hit_services: tuple[ForeignLine, ...] = ()
    events: int = 0
    first_step: ForeignLine | None = None
    fix_url: ForeignLine | None = None
    past_fix: ForeignLine | None = None
    link: str | None = None
    duration: float | None = None
    more_urgent: bool = False
    rhythm: str | None = None
    drill: bool = False
    maybe_repeat: bool = False
    merged: tuple[str, ...] = ()

    @property
    def age(self) -> float:
        """Seconds since the incident was opened."""
        return max((self.now - self.opened_at).total_seconds(), 0.0)


class DigestItem(Frozen):
    """One of several incidents in one message. resolved: whether it ended before anybody was notified."""

    incident_id: str
    priority: Priority
    title: ForeignLine
    resolved: bool = False


def format_text(context: MessageContext) -> str:
    """Format one SMS: the error, the incident's id, and as much of the rest as fits, the most useful first.

    Parts stand in the order in which one says them aloud; a more useful one never gives way to another.
    """
    prefix = _format_prefix(context)
    suffix = f" #{context.incident_id}" + (_REPEAT_MARK if context.maybe_repeat else "")
    parts = [replace(part, text=_to_gsm7(part.text)) for part in _build_parts(context)]
    title = " ".join(context.title.split())
    encoding = _sms_encoding(_to_gsm7("".join((prefix, title, *(part.text for part in parts), suffix))))
    head = encoding.truncate(_to_gsm7(f"{prefix}{title}"), _to_gsm7(suffix))
    included: dict[int, str] = {}
    for position, part in sorted(enumerate(parts), key=lambda pair: pair[1].rank):
        others = "".join(included.values())
        text = part.text if encoding.fits(head + others + part.text + suffix) else None
        if text is None and part.may_be_cut:
            shortened = encoding.truncate(part.text, head + others + suffix)
            text = shortened if len(shortened) >= _MIN_CUT_LENGTH else None
        if text is not None:
            included[position] = text
    rest = "".join(included[position] for position in sorted(included))
    # A part that was cut has its dots already.
    return _to_gsm7(head + rest.replace("....", "...") + suffix)


def fit_sms(text: str) -> str:
    """Return as much of a text as fits one SMS, in the characters of an SMS."""
    plain = _to_gsm7(" ".join(text.split()))
    return _sms_encoding(plain).truncate(plain, "")


def format_body(context: MessageContext, report: str) -> str:
    """Format the full message: the same facts in a few lines, then the debug report."""
    lines = [f"{_format_prefix(context)}{context.title} ({context.priority}, incident {context.incident_id})"]
    if context.reason is NotifyReason.RESOLVED:
        duration = format_duration(context.duration or 0)
        lines.append(f"It lasted {duration}, with {_format_count(context.events, 'error')}.")
        lines += [f"It flapped: {context.rhythm}."] if context.rhythm else []
    else:
        lines += [f"It ends and returns: {context.rhythm}."] if context.rhythm else []
        lines += [f"Cause: {context.cause}"] if context.cause else []
        lines += [f"Where: {context.place}"] if context.place else []
        lines += [f"It says: {context.raw_line}"] if context.raw_line else []
        hits = _format_hits(context)
        lines += [f"{hits}."] if hits else []
        lines += (
            [f"Open for {format_duration(context.age)}, and nobody has acknowledged it."]
            if _asks_for_acknowledgement(context)
            else []
        )
        lines += [f"First: {context.first_step}"] if context.first_step else []
        lines += [f"Fix at: {context.fix_url}"] if context.fix_url else []
        lines += [f"Last time: {context.past_fix}"] if context.past_fix else []
    if context.merged:
        names = ", ".join(f"#{merged_id}" for merged_id in context.merged)
        lines.append(f"Merged into this incident: {names}.")
    lines += [f"Page: {context.link}"] if context.link else []
    if context.maybe_repeat:
        lines.append(_REPEAT_NOTE)
    return "\n".join([*lines, "", report])


def format_digest_title(items: Sequence[DigestItem], since: datetime) -> str:
    """Format the title of several held-back messages together."""
    return f"{_format_count(len(items), 'incident')} since {since:%H:%M} UTC"


def format_digest_text(items: Sequence[DigestItem], since: datetime, *, maybe_repeat: bool = False) -> str:
    """Format one SMS about several incidents, the most urgent first: as many as fit.

    maybe_repeat: whether the message may have been sent before.
    """
    states = ["RESOLVED" if item.resolved else item.priority for item in items]
    parts = [
        f" #{item.incident_id} {state} {' '.join(item.title.split())};"
        for item, state in zip(items, states, strict=True)
    ]
    mark = _REPEAT_MARK if maybe_repeat else ""
    head = f"HELD BACK{mark}: {format_digest_title(items, since)}."
    encoding = _sms_encoding(_to_gsm7("".join((head, *parts))))
    included = 0
    for part in map(_to_gsm7, parts):
        remaining = len(parts) - included - 1
        suffix = f" {remaining} more." if remaining else ""
        if not encoding.fits(f"{head}{part}{suffix}"):
            break
        head, included = head + part, included + 1
    remaining = len(parts) - included
    return f"{head} {remaining} more." if remaining else f"{head.removesuffix(';')}."


def format_digest_body(
    items: Sequence[DigestItem], since: datetime, links: Mapping[str, str], *, maybe_repeat: bool = False
) -> str:
    """Format all items, one a line. links: URL of the page by incident id. maybe_repeat: as above."""
    lines = [f"HELD BACK: {format_digest_title(items, since)}", ""]
    for item in items:
        resolved_note = ", resolved by now" if item.resolved else ""
        link = f" {links[item.incident_id]}" if item.incident_id in links else ""
        lines.append(
            f"#{item.incident_id} {item.priority}{resolved_note}: {' '.join(item.title.split())}{link}"
        )
    lines += ["", "They came late, together: a rate limit or a restart of firstcause held them back."]
    return "\n".join([*lines, _REPEAT_NOTE] if maybe_repeat else lines)


def _format_prefix(context: MessageContext) -> str:
    return f"DRILL: {_format_reason(context)}" if context.drill else _format_reason(context)


def _format_reason(context: MessageContext) -> str:
    prefixes = {
        NotifyReason.RESOLVED: "RESOLVED",
        NotifyReason.NEW_ROOT: "NEW CAUSE",
        NotifyReason.ESCALATED: (
            f"NOW {context.priority}" if context.more_urgent else f"NOBODY ANSWERED, {context.severity}"
        ),
        NotifyReason.FLAPPING: f"FLAPPING, {context.severity}",
        NotifyReason.STEADY: f"NO LONGER FLAPPING, {context.severity}",
        NotifyReason.REMINDER: f"STILL OPEN after {format_duration(context.age)}",
    }
    return f"{prefixes.get(context.reason, context.severity)}: "


def _asks_for_acknowledgement(context: MessageContext) -> bool:
    """Whether the message is sent because nobody acknowledged the incident."""
    return context.reason is NotifyReason.REMINDER or (
        context.reason is NotifyReason.ESCALATED and not context.more_urgent
    )


def _build_parts(context: MessageContext) -> list[_Part]:
    """Build what follows the title, in the order in which it is said; rank 0 is the most useful."""
    place = [_Part(0, f" {context.place}")] if context.place else []
    if context.reason is NotifyReason.RESOLVED:
        flapped = [_Part(2, f". Flapped {context.rhythm}")] if context.rhythm else []
        return [*place, _Part(1, f", after {format_duration(context.duration or 0)}"), *flapped]
    hits = _format_hits(context)
    sentences = [
        _Part(2, context.rhythm or ""),
        _Part(3, context.cause or ""),
        _Part(4, hits or ""),
        _Part(6, f"First: {shorten_step(context.first_step)}" if context.first_step else "", may_be_cut=True),
        _Part(5, context.link or ""),
        _Part(1, context.priority.value),
    ]
    raw_line = f' ("{" ".join(context.raw_line.split())}")' if context.raw_line else ""
    return [
        *place,
        *([_Part(7, raw_line)] if raw_line else []),
        *(
            replace(part, text=f". {' '.join(part.text.split()).rstrip('.')}")
            for part in sentences
            if part.text.strip()
        ),
    ]


def _format_hits(context: MessageContext) -> str | None:
    companies = _format_companies(context) if context.companies else None
    return format_hits(companies, context.hit_services, context.events)


def _format_companies(context: MessageContext) -> str:
    if len(context.companies) <= _MAX_NAMED_COMPANIES:
        return ", ".join(context.companies)
    if context.companies_known > len(context.companies):
        return f"{len(context.companies)} of {context.companies_known} companies"
    return _format_count(len(context.companies), "companies", "companies")


def _format_count(count: int, singular: str, plural: str | None = None) -> str:
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def _to_gsm7(text: str) -> str:
    """Replace control characters, and characters outside the GSM alphabet where that loses no meaning."""
    plain = text.translate(_GSM7_SUBSTITUTES)
    return "".join(map(_nearest_gsm7, single_line(plain)))


def _nearest_gsm7(char: str) -> str:
    if char in _GSM7_BASIC or char in _GSM7_EXTENSION:
        return char
    base = unicodedata.normalize("NFKD", char)
    bare = "".join(part for part in base if not unicodedata.combining(part))
    return bare if bare and all(part in _GSM7_BASIC for part in bare) else char


class _SmsEncoding:
    """The encoding of one SMS: how long a text is in it, and how long the text may be."""

    def __init__(self, limit: int, *, gsm: bool) -> None:
        self._limit = limit
        self._gsm = gsm

    def fits(self, text: str) -> bool:
        return self._measure_length(text) <= self._limit

    def truncate(self, text: str, suffix: str) -> str:
        """Shorten a text so that `suffix` fits after it."""
        if self.fits(text + suffix):
            return text
        while text and not self.fits(f"{text}...{suffix}"):
            text = text[:-1]
        return f"{text}..."

    def _measure_length(self, text: str) -> int:
        if self._gsm:
            return sum(2 if char in _GSM7_EXTENSION else 1 for char in text)
        return len(text.encode("utf-16-le", "replace")) // 2


def _sms_encoding(message: str) -> _SmsEncoding:
    gsm = all(char in _GSM7_BASIC or char in _GSM7_EXTENSION for char in message)
    return _SmsEncoding(MAX_GSM7_SEPTETS, gsm=True) if gsm else _SmsEncoding(MAX_UCS2_UNITS, gsm=False)
