"""Parses one syslog message into an event: RFC 5424, and RFC 3164 in all its variants."""

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

MAX_MESSAGE_BYTES = 64 * 1024
"""Bytes of one message; what is more is cut off."""

_PRIORITY_PATTERN = re.compile(r"<(\d{1,3})>")
_RFC5424_HEADER = re.compile(r"1 (\S{1,64}) (\S{1,255}) (\S{1,128}) (\S{1,128}) (\S{1,64}) ?", re.ASCII)
_PARAM_PATTERN = re.compile(r'\s*([^\s=\]"]{1,64})="((?:\\.|[^"\\])*)"')
_ESCAPE_PATTERN = re.compile(r'\\(["\\\]])')
_RFC3164_TIME = re.compile(r"([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2})(?:\.\d+)? ")
_ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\S+) ")
_HOST_PATTERN = re.compile(r"([A-Za-z0-9_.:\-]{1,255}) ")
_TAG_PATTERN = re.compile(r"([^\s:\[\]]{1,128})(?:\[(\d{1,10})\])?: ?")
_PROGRAM_PATTERN = re.compile(r"([a-z][a-z0-9_./-]{0,127})(?:\[(\d{1,10})\])?: ?")
_LEVEL_WORDS = frozenset({"critical", "debug", "error", "exception", "fatal", "info", "warning"})
_CODE_PATTERN = re.compile(r"[A-Z][A-Z0-9_]{1,119}")
_MONTH_NUMBERS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_DEFAULT_PRIORITY = 13
_CRITICAL, _ERROR, _WARNING = 2, 3, 4
_MAX_NAME_LENGTH = 200
_MAX_PRIORITY = 191


@dataclass
class SyslogMessage:
    """The fields of a message. severity_number: 0 is the worst."""

    severity_number: int
    facility: int
    text: str = ""
    time: datetime | None = None
    host: str | None = None
    program: str | None = None
    process: str | None = None
    message_id: str | None = None
    data: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Parser:
    config: Config

    def parse(self, data: bytes, peer: str, now: datetime) -> Event | None:
        """None of what is empty, or less severe than `least`. peer: the sender's address."""
        text = data[:MAX_MESSAGE_BYTES].decode("utf-8", "replace").strip("\r\n\0 ")
        if not text:
            return None
        message = parse_message(text, now, ZoneInfo(self.config.timezone))
        if message.severity_number > self.config.min_severity:
            return None
        first, _, rest = message.text.strip().partition("\n")
        code = _select_first(message.data, self.config.code)
        return Event(
            id=f"syslog:{uuid.uuid4().hex}",
            time=message.time or now,
            code=code if code and _CODE_PATTERN.fullmatch(code) else None,
            message=first.strip() or message.message_id or "a message without words",
            severity=_map_severity(message.severity_number),
            service=_select_first(message.data, self.config.service) or message.program,
            tenant=_select_first(message.data, self.config.tenant),
            details=_build_details(message, peer),
            stack=rest.strip("\n") or None,
        )


def parse_message(text: str, now: datetime, zone: ZoneInfo) -> SyslogMessage:
    """Parse any message; a header that cannot be parsed stays part of the text."""
    priority = _PRIORITY_PATTERN.match(text)
    priority_number = (
        int(priority[1]) if priority and int(priority[1]) <= _MAX_PRIORITY else _DEFAULT_PRIORITY
    )
    message = SyslogMessage(priority_number % 8, priority_number // 8)
    rest = text[priority.end() :] if priority else text
    if header := _RFC5424_HEADER.match(rest):
        _parse_rfc5424(message, header, rest[header.end() :])
    else:
        _parse_rfc3164(message, rest, now, zone)
    return message


def _parse_rfc5424(message: SyslogMessage, header: re.Match[str], rest: str) -> None:
    fields = (None if value == "-" else value for value in header.groups())
    time, message.host, program, message.process, message.message_id = fields
    message.program = program[:_MAX_NAME_LENGTH] if program else None
    message.time = _parse_iso_time(time) if time else None
    rest = _parse_structured_data(message, rest)
    message.text = rest.strip().removeprefix("\ufeff")


def _parse_structured_data(message: SyslogMessage, rest: str) -> str:
    """What follows the structured data."""
    if rest.startswith("-"):
        return rest[1:]
    while rest.startswith("["):
        position = 1
        while position < len(rest) and rest[position] not in " ]":
            position += 1
        while param := _PARAM_PATTERN.match(rest, position):
            message.data.setdefault(param[1], _ESCAPE_PATTERN.sub(r"\1", param[2]))
            position = param.end()
        if position >= len(rest) or rest[position] != "]":
            return rest
        rest = rest[position + 1 :]
    return rest


def _parse_rfc3164(message: SyslogMessage, rest: str, now: datetime, zone: ZoneInfo) -> None:
    if timestamp := _RFC3164_TIME.match(rest):
        message.time = _resolve_year(timestamp, now, zone)
    elif timestamp := _ISO_TIME.match(rest):
        message.time = _parse_iso_time(timestamp[1])
    if timestamp and message.time is not None:
        rest = rest[timestamp.end() :]
        tagged = _TAG_PATTERN.match(rest)
        if (host := _HOST_PATTERN.match(rest)) and not tagged:
            message.host = host[1]
            rest = rest[host.end() :]
    # Without a time before it, `name: ` may just as well be the beginning of the words.
    tag = _TAG_PATTERN.match(rest) if message.time is not None else _PROGRAM_PATTERN.match(rest)
    if tag is not None and tag[1].lower() not in _LEVEL_WORDS:
        message.program, message.process = tag[1], tag[2]
        rest = rest[tag.end() :]
    message.text = rest


def _parse_iso_time(text: str) -> datetime | None:
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    return timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)


def _resolve_year(match: re.Match[str], now: datetime, zone: ZoneInfo) -> datetime | None:
    """Add the year, which the format lacks: this year, or last year if the time would be in the future."""
    month = _MONTH_NUMBERS.get(match[1])
    day, hour, minute, second = (int(match[group]) for group in (2, 3, 4, 5))
    local = now.astimezone(zone)
    for year in (local.year, local.year - 1):
        try:
            time = datetime(year, month or 0, day, hour, minute, second, tzinfo=zone)
        except ValueError:
            continue
        if time <= now + timedelta(days=1):
            return time.astimezone(UTC)
    return None


def _map_severity(number: int) -> Severity | None:
    """Of an `err` the catalog decides."""
    if number <= _CRITICAL:
        return Severity.CRITICAL
    return None if number == _ERROR else Severity.WARNING if number == _WARNING else Severity.INFO


def _build_details(message: SyslogMessage, peer: str) -> dict[str, Any]:
    details = {
        "host": message.host,
        "program": message.program,
        "process": message.process,
        "message_id": message.message_id,
        "facility": message.facility,
        "peer": peer,
        "data": message.data or None,
    }
    return {name: value for name, value in details.items() if value is not None}


def _select_first(data: Mapping[str, str], names: Sequence[str]) -> str | None:
    value = next((data[name].strip() for name in names if data.get(name, "").strip()), None)
    return value[:_MAX_NAME_LENGTH] if value else None
