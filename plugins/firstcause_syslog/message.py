"""Parses one syslog message into its fields: RFC 5424, and RFC 3164 in all its variants."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstcause_syslog.times import ISO_TIME, RFC3164_TIME, SentTime, parse_iso_time, resolve_year

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

MAX_MESSAGE_BYTES = 64 * 1024
"""Bytes of one message; what is more is cut off."""

_PRIORITY_PATTERN = re.compile(r" {0,10}<(\d{1,3})>")
_RFC5424_HEADER = re.compile(r"1 (\S{1,64}) (\S{1,255}) (\S{1,128}) (\S{1,128}) (\S{1,64}) ?", re.ASCII)
_PARAM_PATTERN = re.compile(r'\s*([^\s=\]"]{1,64})="((?:\\.|[^"\\])*)"')
_ESCAPE_PATTERN = re.compile(r'\\(["\\\]])')
_HOST_PATTERN = re.compile(r"([A-Za-z0-9_.:\-]{1,255}) ")
_TAG_PATTERN = re.compile(r"([^\s:\[\]{}()\"',=]{1,128})(?:\[(\d{1,10})\])?: ?")
_PROGRAM_PATTERN = re.compile(r"([a-z][a-z0-9_./-]{0,127})(?:\[(\d{1,10})\])?: ?")
_LEVEL_WORDS = frozenset({
    "alert", "crit", "critical", "debug", "emerg", "err", "error", "exception", "fatal", "info", "note",
    "notice", "panic", "warn", "warning",
})  # fmt: skip
"""Words before a colon that are not programs."""

_EXCEPTION_NAME = re.compile(r"(?:Error|Exception|Throwable|Warning)$")
_ESCAPED_LINE_END = re.compile(r"(?<=[^\s#])#012")
_ESCAPED_CONTROL = re.compile(r"#(0[0-3][0-7])")
_DEFAULT_PRIORITY = 13
_MAX_NAME_LENGTH = 200
_MAX_PRIORITY = 191


@dataclass
class SyslogMessage:
    """The fields of a message. severity_number: 0 is the worst. has_priority: whether the sender named it."""

    severity_number: int
    facility: int
    has_priority: bool = True
    text: str = ""
    sent_time: SentTime | None = None
    host: str | None = None
    program: str | None = None
    process: str | None = None
    message_id: str | None = None
    data: dict[str, str] = field(default_factory=dict)

    @property
    def time(self) -> datetime | None:
        return self.sent_time.time if self.sent_time is not None else None


def parse_message(text: str, now: datetime, zone: ZoneInfo) -> SyslogMessage:
    """Parse any message; a header that cannot be parsed stays part of the text."""
    priority = _PRIORITY_PATTERN.match(text)
    is_valid = priority is not None and int(priority[1]) <= _MAX_PRIORITY
    number = int(priority[1]) if priority is not None and is_valid else _DEFAULT_PRIORITY
    message = SyslogMessage(number % 8, number // 8, has_priority=is_valid)
    rest = text[priority.end() :] if priority else text
    if header := _RFC5424_HEADER.match(rest):
        _parse_rfc5424(message, header, rest[header.end() :], zone)
    else:
        _parse_rfc3164(message, rest, now, zone)
    message.text = _decode_escapes(message.text)
    return message


def _decode_escapes(text: str) -> str:
    """Undo what rsyslog makes of control characters: `#012` is the end of a line, `#011` a tab.

    Only if a `#012` follows a word immediately: `ticket #012` is what somebody wrote.
    """
    if not _ESCAPED_LINE_END.search(text):
        return text
    return _ESCAPED_CONTROL.sub(lambda match: chr(int(match[1], 8)), text)


def _parse_rfc5424(message: SyslogMessage, header: re.Match[str], rest: str, zone: ZoneInfo) -> None:
    fields = (None if value == "-" else value for value in header.groups())
    time, message.host, program, message.process, message.message_id = fields
    message.program = program[:_MAX_NAME_LENGTH] if program else None
    message.sent_time = parse_iso_time(time, zone) if time else None
    # The first space separates. Others indent, as in a stack that is sent line by line.
    after = _parse_structured_data(message, rest).removeprefix(" ")
    # Some relays write the structured data of the message they got into its text as well.
    element = rest[: len(rest) - len(after)].rstrip()
    if element.startswith("[") and after.startswith(element):
        after = after.removeprefix(element).removeprefix(" ")
    message.text = after.removeprefix("\ufeff").rstrip()


def _parse_structured_data(message: SyslogMessage, rest: str) -> str:
    """Parse the structured data. Returns what follows it."""
    if rest.startswith("-"):
        return rest[1:]
    while rest.startswith("["):
        position = 1
        while position < len(rest) and rest[position] not in " ]":
            position += 1
        element_id = rest[1:position]
        while param := _PARAM_PATTERN.match(rest, position):
            _add_param(message.data, element_id, param[1], _ESCAPE_PATTERN.sub(r"\1", param[2]))
            position = param.end()
        if position >= len(rest) or rest[position] != "]":
            return rest
        rest = rest[position + 1 :]
    return rest


def _add_param(data: dict[str, str], element_id: str, name: str, value: str) -> None:
    """Keep every value: a name may come again, in another element or in the same."""
    qualified = f"{element_id}.{name}"
    if name not in data:
        data[name] = value
    elif value != data[name]:
        data[qualified] = f"{data[qualified]}, {value}" if qualified in data else value


def _parse_rfc3164(message: SyslogMessage, rest: str, now: datetime, zone: ZoneInfo) -> None:
    if timestamp := RFC3164_TIME.match(rest):
        message.sent_time = resolve_year(timestamp, now, zone)
    elif timestamp := ISO_TIME.match(rest):
        message.sent_time = parse_iso_time(timestamp[1], zone)
    if timestamp and message.time is not None:
        rest = rest[timestamp.end() :]
        tagged = _TAG_PATTERN.match(rest)
        if (host := _HOST_PATTERN.match(rest)) and not tagged:
            message.host = host[1]
            rest = rest[host.end() :]
    # Without a time before it, `name: ` may just as well be the beginning of the words.
    tag = _TAG_PATTERN.match(rest) if message.time is not None else _PROGRAM_PATTERN.match(rest)
    if tag is not None and tag[1].lower() not in _LEVEL_WORDS and not _EXCEPTION_NAME.search(tag[1]):
        message.program, message.process = tag[1], tag[2]
        rest = rest[tag.end() :]
    message.text = rest
