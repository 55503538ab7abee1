"""The words of a notification: a text that fits one SMS, and the whole message."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING

from firstcause.core.model import Frozen, NotifyReason, Priority, Severity
from firstcause.core.text.durations import spoken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SEPTETS = 160
"""Characters of one SMS in the GSM 7-bit alphabet (3GPP TS 23.038); those of its extension count twice."""
UCS2_UNITS = 70
"""UTF-16 units of one SMS that has any other character."""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("^{}\\[~]|€")
_PLAIN = str.maketrans(
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
_NAMED_COMPANIES = 2


class Brief(Frozen):
    """What the words are made of. duration: seconds from opening to resolution, None while open.

    because: the rule's reason. cascades: alerts that follow from the root. now: when it is said.
    last_time: what mended it before, and how well.
    worse: it is more urgent than it was when it was said before. drill: it is a test alert.
    """

    incident_id: str
    reason: NotifyReason
    severity: Severity
    priority: Priority
    code: str
    title: str
    opened_at: datetime
    now: datetime
    because: str | None = None
    services: tuple[str, ...] = ()
    companies: tuple[str, ...] = ()
    companies_known: int = 0
    cascades: int = 0
    events: int = 0
    first_step: str | None = None
    fix_url: str | None = None
    last_time: str | None = None
    link: str | None = None
    duration: float | None = None
    worse: bool = False
    drill: bool = False
    maybe_repeat: bool = False

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return max((self.now - self.opened_at).total_seconds(), 0.0)


class Held(Frozen):
    """One of several incidents in one message. over: before anybody could be told."""

    incident_id: str
    priority: Priority
    title: str
    over: bool = False


def text(brief: Brief) -> str:
    """One SMS: what it is, and as much of why, whom and where as fits. The incident's number is always in."""
    end = f" #{brief.incident_id}" + (" (may repeat)" if brief.maybe_repeat else "")
    parts = _parts(brief)
    title = " ".join(brief.title.split())
    one_segment = _fitter(_speakable("".join((_label(brief), title, *parts, end))))
    head = one_segment.cut(_speakable(f"{_label(brief)}{title}"), _speakable(end))
    for part in map(_speakable, parts):
        if one_segment.fits(head + part + end):
            head += part
    return _speakable(head + end)


def body(brief: Brief, report: str) -> str:
    """The whole message: the same in a few lines, then the debug report."""
    lines = [f"{_label(brief)}{brief.title} ({brief.priority}, incident {brief.incident_id})"]
    if brief.reason is NotifyReason.RESOLVED:
        lines.append(f"It lasted {spoken(brief.duration or 0)}, with {_counted(brief.events, 'error')}.")
    else:
        lines += [f"Cause: {brief.because}"] if brief.because else []
        lines += [f"Hits: {_companies(brief)}"] if brief.companies else []
        lines += [f"Open for {spoken(brief.age)}, and nobody has acknowledged it."] if _asks(brief) else []
        lines += [f"First: {brief.first_step}"] if brief.first_step else []
        lines += [f"Fix at: {brief.fix_url}"] if brief.fix_url else []
        lines += [f"Last time: {brief.last_time}"] if brief.last_time else []
    lines += [f"Page: {brief.link}"] if brief.link else []
    if brief.maybe_repeat:
        lines.append("You may have had this message before: firstcause stopped while it was being sent.")
    return "\n".join([*lines, "", report])


def digest_title(held: Sequence[Held], since: datetime) -> str:
    """What several held-back messages are called together."""
    return f"{_counted(len(held), 'incident')} since {since:%H:%M} UTC"


def digest_text(held: Sequence[Held], since: datetime) -> str:
    """One SMS of several incidents, the most urgent first: as many as fit."""
    parts = [f" #{each.incident_id} {each.priority} {' '.join(each.title.split())};" for each in held]
    head = f"HELD BACK: {digest_title(held, since)}."
    one_segment = _fitter(_speakable("".join((head, *parts))))
    said = 0
    for part in map(_speakable, parts):
        left = len(parts) - said - 1
        end = f" {left} more." if left else ""
        if not one_segment.fits(f"{head}{part}{end}"):
            break
        head, said = head + part, said + 1
    left = len(parts) - said
    return f"{head} {left} more." if left else f"{head.removesuffix(';')}."


def digest_body(held: Sequence[Held], since: datetime, links: Mapping[str, str]) -> str:
    """All of them, one a line. links: incident -> its page."""
    lines = [f"HELD BACK: {digest_title(held, since)}", ""]
    for each in held:
        over = ", over by now" if each.over else ""
        link = f" {links[each.incident_id]}" if each.incident_id in links else ""
        lines.append(f"#{each.incident_id} {each.priority}{over}: {' '.join(each.title.split())}{link}")
    return "\n".join([*lines, "", "They are in one message as there were more than the limit allows."])


def _label(brief: Brief) -> str:
    return f"DRILL: {_why(brief)}" if brief.drill else _why(brief)


def _why(brief: Brief) -> str:
    match brief.reason:
        case NotifyReason.RESOLVED:
            return "RESOLVED: "
        case NotifyReason.NEW_ROOT:
            return "NEW CAUSE: "
        case NotifyReason.ESCALATED if brief.worse:
            return f"NOW {brief.priority}: "
        case NotifyReason.ESCALATED:
            return f"NOBODY ANSWERED, {brief.severity}: "
        case NotifyReason.REMINDER:
            return f"STILL OPEN after {spoken(brief.age)}: "
        case _:
            return f"{brief.severity}: "


def _asks(brief: Brief) -> bool:
    """Whether it is said as nobody acknowledged it."""
    return brief.reason is NotifyReason.REMINDER or (
        brief.reason is NotifyReason.ESCALATED and not brief.worse
    )


def _parts(brief: Brief) -> list[str]:
    """What follows the title, in the order of its worth to someone who has only this text."""
    if brief.reason is NotifyReason.RESOLVED:
        return [f", after {spoken(brief.duration or 0)}"]
    parts = [brief.because] if brief.because else []
    parts += [brief.link] if brief.link else []
    parts += [_companies(brief)] if brief.companies else []
    parts += [_counted(brief.cascades, "cascade")] if brief.cascades else []
    parts.append(brief.priority.value)
    return [f". {' '.join(part.split())}" for part in parts]


def _companies(brief: Brief) -> str:
    if len(brief.companies) <= _NAMED_COMPANIES:
        return ", ".join(brief.companies)
    if brief.companies_known > len(brief.companies):
        return f"{len(brief.companies)} of {brief.companies_known} companies"
    return _counted(len(brief.companies), "companies", "companies")


def _counted(number: int, noun: str, several: str | None = None) -> str:
    return f"{number} {noun if number == 1 else several or noun + 's'}"


def _speakable(words: str) -> str:
    """Without control characters, and in the GSM alphabet where that loses no meaning."""
    plain = words.translate(_PLAIN)
    kept = "".join(char if char.isprintable() else " " for char in plain)
    return "".join(map(_nearest, kept))


def _nearest(char: str) -> str:
    if char in _BASIC or char in _EXTENSION:
        return char
    base = unicodedata.normalize("NFKD", char)
    bare = "".join(each for each in base if not unicodedata.combining(each))
    return bare if bare and all(each in _BASIC for each in bare) else char


class _Segment:
    """One SMS of an alphabet: how long a text is in it, and how long it may be."""

    def __init__(self, limit: int, *, gsm: bool) -> None:
        self._limit = limit
        self._gsm = gsm

    def fits(self, words: str) -> bool:
        return self._length(words) <= self._limit

    def cut(self, words: str, end: str) -> str:
        """The words, shortened so that `end` fits after them."""
        if self.fits(words + end):
            return words
        while words and not self.fits(f"{words}...{end}"):
            words = words[:-1]
        return f"{words}..."

    def _length(self, words: str) -> int:
        if self._gsm:
            return sum(2 if char in _EXTENSION else 1 for char in words)
        return len(words.encode("utf-16-le", "replace")) // 2


def _fitter(whole: str) -> _Segment:
    gsm = all(char in _BASIC or char in _EXTENSION for char in whole)
    return _Segment(SEPTETS, gsm=True) if gsm else _Segment(UCS2_UNITS, gsm=False)
