"""Turns parsed messages into events."""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from firstcause import Event, Severity, decode_json
from firstcause_syslog.config import DEFAULT_MIN_SEVERITIES
from firstcause_syslog.message import MAX_MESSAGE_BYTES, SyslogMessage, parse_message
from firstcause_syslog.times import correct_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from firstcause_syslog.config import Config

_CODE_PATTERN = re.compile(r"[A-Z][A-Z0-9_]{1,119}")
_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""syslog's severities, by their numbers."""

_FIRST_NUMBERS = {Severity.CRITICAL: 2, Severity.WARNING: 4, Severity.INFO: 6}
_ERROR_NUMBER = 3
_LEVEL_NAMES = "emerg|emergency|alert|crit|critical|fatal|panic|severe|err|error|warn|warning"
_LEVEL_WORD = re.compile(rf"\b(?:({_LEVEL_NAMES.upper()})\b|((?i:{_LEVEL_NAMES}))(?=[:\]\"]))")
_LEVEL_HEAD_LENGTH = 120
"""Characters of a text in which a logger writes its level."""

_TEXT_KEYS = ("message", "msg", "log", "error", "err", "event", "text", "reason")
_LEVEL_KEYS = ("level", "severity", "levelname", "lvl")
_STACK_KEYS = ("stack", "stack_trace", "stacktrace", "exception.stacktrace", "exception", "throwable")
"""Names in structured data, or in a text that is JSON."""

_MAX_NAME_LENGTH = 200


@dataclass(frozen=True)
class Parser:
    config: Config

    def parse(self, data: bytes, now: datetime) -> SyslogMessage | None:
        """None of what is empty."""
        text = data[:MAX_MESSAGE_BYTES].decode("utf-8", "replace").strip("\r\n\0")
        return parse_message(text, now, ZoneInfo(self.config.timezone)) if text.strip() else None

    def _find_limit(self, program: str) -> int:
        least = self.config.min_severity
        default = max(least, DEFAULT_MIN_SEVERITIES.get(program, least))
        return self.config.program_min_severity.get(program, default)

    def build_event(self, message: SyslogMessage, peer: str, received_at: datetime) -> Event | str:
        """Build the event, or return the kind of a message that is none. peer: the sender's address."""
        structured = _read_json(message.text)
        number = message.severity_number
        if not message.has_priority:
            number = _find_severity_number(message.text, structured, number)
        program = message.program or ""
        if number > self._find_limit(program):
            return f"severity {_LEVELS[number]}" if message.has_priority else "without priority"
        first, _, rest = message.text.strip().partition("\n")
        named = {**{key: str(value) for key, value in structured.items()}, **message.data}
        code = _select_first(named, self.config.code)
        time, clock_details = correct_time(message.sent_time, received_at)
        return Event(
            id=f"syslog:{uuid.uuid4().hex}",
            time=time,
            code=code if code and _CODE_PATTERN.fullmatch(code) else None,
            message=_select_first(structured, _TEXT_KEYS, None)
            or first.strip()
            or message.message_id
            or "a message without words",
            severity=Severity.from_word(_LEVELS[number]),
            service=_select_first(named, self.config.service) or message.program,
            tenant=_select_first(named, self.config.tenant),
            details=_build_details(message, peer, structured) | clock_details,
            stack=rest.strip("\n") or _find_stack(named),
        )


def _read_json(text: str) -> dict[str, Any]:
    """Read a text that is a JSON object, also after `@cee:`; empty for any other."""
    plain = text.strip().removeprefix("@cee:").lstrip()
    if plain.startswith("{"):
        with suppress(ValueError, RecursionError):
            value = decode_json(plain)
            return value if isinstance(value, dict) else {}
    return {}


def _find_severity_number(text: str, structured: Mapping[str, Any], default: int) -> int:
    """Find the severity of a message without a priority: the level that its logger wrote into it."""
    word = _select_first(structured, _LEVEL_KEYS)
    if word is None and (match := _LEVEL_WORD.search(text[:_LEVEL_HEAD_LENGTH])):
        word = match[1] or match[2]
    with suppress(ValueError):
        severity = Severity(word or "")
        return _FIRST_NUMBERS[severity] if Severity.from_word(word) is severity else _ERROR_NUMBER
    return default


def _find_stack(named: Mapping[str, str]) -> str | None:
    """Find a value of several lines under a name that means a stack."""
    if not named:
        return None
    texts = (named.get(key, "").strip() for key in _STACK_KEYS)
    return next((text for text in texts if "\n" in text), None)


def _build_details(message: SyslogMessage, peer: str, structured: dict[str, Any]) -> dict[str, Any]:
    details = {
        "host": message.host,
        "program": message.program,
        "process": message.process,
        "message_id": message.message_id,
        "facility": message.facility,
        "peer": peer,
        "data": message.data or None,
        "log": structured or None,
    }
    return {name: value for name, value in details.items() if value is not None}


def _select_first(
    data: Mapping[str, Any], names: Sequence[str], max_length: int | None = _MAX_NAME_LENGTH
) -> str | None:
    if not data:
        return None
    texts = (value.strip() for name in names if isinstance(value := data.get(name), str))
    text = next(filter(None, texts), None)
    return text[:max_length] if text else None
