"""One syslog message into an event: RFC 5424, and RFC 3164 as leniently as it is written."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from firstcause import Event, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause_syslog.config import Config

LONGEST = 64 * 1024
"""Bytes of one message; what is more is cut off."""

_PRIORITY = re.compile(r"<(\d{1,3})>")
_NEW = re.compile(r"1 (\S{1,64}) (\S{1,255}) (\S{1,128}) (\S{1,128}) (\S{1,64}) ?", re.ASCII)
_PARAM = re.compile(r'\s*([^\s=\]"]{1,64})="((?:\\.|[^"\\])*)"')
_ESCAPED = re.compile(r'\\(["\\\]])')
_OLD_TIME = re.compile(r"([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2})(?:\.\d+)? ")
_ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\S+) ")
_HOST = re.compile(r"([A-Za-z0-9_.:\-]{1,255}) ")
_TAG = re.compile(r"([^\s:\[\]]{1,128})(?:\[(\d{1,10})\])?: ?")
_PROGRAM = re.compile(r"([a-z][a-z0-9_./-]{0,127})(?:\[(\d{1,10})\])?: ?")
_LEVELS = frozenset({"critical", "debug", "error", "exception", "fatal", "info", "warning"})
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,119}")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_USER_NOTICE = 13
_CRITICAL, _ERROR, _WARNING = 2, 3, 4
_LONGEST_NAME = 200
_HIGHEST = 191


@dataclass
class Said:
    """What a message says. number: of its severity, 0 is the worst."""

    number: int
    facility: int
    words: str = ""
    time: datetime | None = None
    host: str | None = None
    program: str | None = None
    process: str | None = None
    kind: str | None = None
    data: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reader:
    config: Config

    def event(self, sent: bytes, peer: str, now: datetime) -> Event | None:
        """None of what is empty, or less severe than `least`. peer: the sender's address."""
        text = sent[:LONGEST].decode("utf-8", "replace").strip("\r\n\0 ")
        if not text:
            return None
        said = parsed(text, now, ZoneInfo(self.config.timezone))
        if said.number > self.config.least:
            return None
        first, _, rest = said.words.strip().partition("\n")
        code = _first(said.data, self.config.code)
        return Event(
            id=f"syslog:{uuid.uuid4().hex}",
            time=said.time or now,
            code=code if code and _CODE.fullmatch(code) else None,
            message=first.strip() or said.kind or "a message without words",
            severity=_severity(said.number),
            service=_first(said.data, self.config.service) or said.program,
            tenant=_first(said.data, self.config.tenant),
            details=_details(said, peer),
            stack=rest.strip("\n") or None,
        )


def parsed(text: str, now: datetime, zone: ZoneInfo) -> Said:
    """Whatever it is: what cannot be told is left out, and all of it is then the words."""
    priority = _PRIORITY.match(text)
    number = int(priority[1]) if priority and int(priority[1]) <= _HIGHEST else _USER_NOTICE
    said = Said(number % 8, number // 8)
    rest = text[priority.end() :] if priority else text
    if head := _NEW.match(rest):
        _new(said, head, rest[head.end() :])
    else:
        _old(said, rest, now, zone)
    return said


def _new(said: Said, head: re.Match[str], rest: str) -> None:
    given = (None if each == "-" else each for each in head.groups())
    time, said.host, program, said.process, said.kind = given
    said.program = program[:_LONGEST_NAME] if program else None
    said.time = _iso(time) if time else None
    rest = _structured(said, rest)
    said.words = rest.strip().removeprefix("\ufeff")


def _structured(said: Said, rest: str) -> str:
    """What follows the structured data."""
    if rest.startswith("-"):
        return rest[1:]
    while rest.startswith("["):
        at = 1
        while at < len(rest) and rest[at] not in " ]":
            at += 1
        while found := _PARAM.match(rest, at):
            said.data.setdefault(found[1], _ESCAPED.sub(r"\1", found[2]))
            at = found.end()
        if at >= len(rest) or rest[at] != "]":
            return rest
        rest = rest[at + 1 :]
    return rest


def _old(said: Said, rest: str, now: datetime, zone: ZoneInfo) -> None:
    if found := _OLD_TIME.match(rest):
        said.time = _of_this_year(found, now, zone)
    elif found := _ISO_TIME.match(rest):
        said.time = _iso(found[1])
    if found and said.time is not None:
        rest = rest[found.end() :]
        tagged = _TAG.match(rest)
        if (host := _HOST.match(rest)) and not tagged:
            said.host = host[1]
            rest = rest[host.end() :]
    # Without a time before it, `name: ` may just as well be the beginning of the words.
    tag = _TAG.match(rest) if said.time is not None else _PROGRAM.match(rest)
    if tag is not None and tag[1].lower() not in _LEVELS:
        said.program, said.process = tag[1], tag[2]
        rest = rest[tag.end() :]
    said.words = rest


def _iso(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _of_this_year(found: re.Match[str], now: datetime, zone: ZoneInfo) -> datetime | None:
    """It says no year: this one, and in January the one before for what would be yet to come."""
    month = _MONTHS.get(found[1])
    day, hour, minute, second = (int(found[place]) for place in (2, 3, 4, 5))
    local = now.astimezone(zone)
    for year in (local.year, local.year - 1):
        try:
            time = datetime(year, month or 0, day, hour, minute, second, tzinfo=zone)
        except ValueError:
            continue
        if time <= now + timedelta(days=1):
            return time.astimezone(UTC)
    return None


def _severity(number: int) -> Severity | None:
    """Of an `err` the catalog decides."""
    if number <= _CRITICAL:
        return Severity.CRITICAL
    return None if number == _ERROR else Severity.WARNING if number == _WARNING else Severity.INFO


def _details(said: Said, peer: str) -> dict[str, Any]:
    known = {
        "host": said.host,
        "program": said.program,
        "process": said.process,
        "message_id": said.kind,
        "facility": said.facility,
        "peer": peer,
        "data": said.data or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _first(data: Mapping[str, str], names: Sequence[str]) -> str | None:
    found = next((data[name].strip() for name in names if data.get(name, "").strip()), None)
    return found[:_LONGEST_NAME] if found else None
