"""Joins the lines of a stack trace that a program sent one by one, each as a message of its own."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause import Event, IntakeResult
from firstcause_syslog.message import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause_syslog.message import SyslogMessage
    from firstcause_syslog.parser import Parser

JOIN_PAUSE = timedelta(seconds=0.3)
"""How long a message waits for further lines after its last one."""

_MAX_PENDING = 1000
_MAX_LINES = 500
_CONTINUATION = re.compile(
    r"at \S|Caused by: |Suppressed: |\.\.\. \d+ |Traceback \(most recent call last\)|File \""
    r"|During handling of the above |The above exception was |--- End of |#\d+ \S|PHP {1,5}\d+\. "
    r"|goroutine \d+ \[|created by |[\w./*-]+\.[\w.*()-]+\(.*\)$|from \S+:\d+:in |note: run with "
    r"|(?:PHP )?[Ss]tack (?:trace|traceback|backtrace):|$"
)
"""The beginning of a line that no message begins with, in the stacks of many languages."""

_POSTGRES_CHUNK = re.compile(r"\[(\d{1,10})-(\d{1,5})\] ")
_QUALIFIED_EXCEPTION = re.compile(r"(?:[A-Za-z_$][\w$]*\.)+[\w$]*(?:Exception|Error|Throwable)(?::|\s*$)")
_EXCEPTION = re.compile(r"[\w.$]*(?:Exception|Error|Throwable)(?::|\s*$)")
_PANIC = re.compile(r"thread '[^']*'(?: \(\d+\))? panicked at \S+:\d+:\d+:$")
"""Of a panic in Rust, the reason is on the next line."""

_TRACEBACK = re.compile(r"\s*(?:Exception Group )?Traceback \(most recent call last\)")

Key = tuple[str, str | None, str | None, str | None]


@dataclass
class _PendingMessage:
    """A message that may get further lines. headline: its first line. last_line: its latest."""

    message: SyslogMessage
    peer: str
    received_at: datetime
    last_at: datetime
    headline: str
    last_line: str
    line_count: int = 1
    in_traceback: bool = False

    def accepts_line(self, line: str) -> bool:
        """Whether the line belongs to the stack of this message, by its form."""
        # Some senders put a space before every message, so only what is indented deeper belongs to another.
        if self._is_indented(line) or _CONTINUATION.match(line.lstrip()):
            return True
        if self.line_count == 1 and _PANIC.search(self.headline):
            return True
        # Python's traceback ends with the exception, which is not indented.
        if self.in_traceback and self._is_indented(self.last_line):
            return True
        can_have_exception = self.line_count == 1 and not _EXCEPTION.match(self.headline)
        return can_have_exception and _QUALIFIED_EXCEPTION.match(line) is not None

    def add_line(self, line: str, severity_number: int, now: datetime) -> bool:
        """Add a line; False if there are too many."""
        self.last_at = now
        if self.line_count >= _MAX_LINES or len(self.message.text) >= MAX_MESSAGE_BYTES:
            return False
        if _TRACEBACK.match(line):
            self.in_traceback = True
        elif not self._is_indented(line):
            self.in_traceback = False
        self.line_count += 1
        self.last_line = line
        self.message.text += f"\n{line}"
        self.message.severity_number = min(self.message.severity_number, severity_number)
        return True

    def _is_indented(self, line: str) -> bool:
        return _count_indent(line) > _count_indent(self.headline)


def _count_indent(line: str) -> int:
    return len(line) - len(line.lstrip())


class MessageJoiner:
    """Holds each message for a moment, as its stack may follow. Messages of different programs do not mix."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._pending: OrderedDict[Key, _PendingMessage] = OrderedDict()
        self._latest: dict[str, Key] = {}
        self._events: list[Event] = []
        self._ignored: Counter[str] = Counter()

    def add_message(self, data: bytes, source: str, peer: str, now: datetime, *, by_stream: bool) -> None:
        """Add a message.

        source: the connection, or the address. by_stream: a line without a priority belongs to the message
        before it, as in frames that end with NUL.
        """
        message = self._parser.parse(data, now)
        if message is None:
            self._ignored["empty"] += 1
            return
        key = (source, message.host, message.program, message.process)
        line, number = message.text, message.severity_number
        latest = self._latest.get(source) if by_stream and not message.has_priority else None
        if latest is not None and (opened := self._pending.get(latest)) is not None:
            key = latest
            line = data.decode("utf-8", "replace").rstrip("\r\n\0 ")
            number = opened.message.severity_number
        if chunk := _POSTGRES_CHUNK.match(line):
            # PostgreSQL numbers its messages, and the lines of each.
            line = message.text = line[chunk.end() :]
            key = (*key[:3], f"{message.process} {chunk[1]}")
        is_next_chunk = chunk is not None and chunk[2] != "1"
        pending = self._pending.get(key)
        is_open = pending is not None and now <= pending.last_at + JOIN_PAUSE
        if pending is not None and is_open and (key is latest or is_next_chunk or pending.accepts_line(line)):
            if not pending.add_line(line, number, now):
                self._ignored["line of a long message"] += 1
            return
        self._start_message(key, message, peer, now)

    def count_ignored(self, kind: str, count: int) -> None:
        if count:
            self._ignored[kind] += count

    def take_ready(self, now: datetime | None) -> IntakeResult:
        """Take the messages that get no further lines; with None, all of them."""
        for key, pending in list(self._pending.items()):
            if now is None or pending.last_at + JOIN_PAUSE < now:
                self._complete_message(key)
        result = IntakeResult(self._events, self._ignored)
        self._events, self._ignored = [], Counter()
        return result

    def end_source(self, source: str) -> None:
        """Complete the messages of a connection that has ended."""
        for key in [key for key in self._pending if key[0] == source]:
            self._complete_message(key)

    def _start_message(self, key: Key, message: SyslogMessage, peer: str, now: datetime) -> None:
        self._complete_message(key)
        while len(self._pending) >= _MAX_PENDING:
            self._complete_message(next(iter(self._pending)))
        pending = _PendingMessage(message, peer, now, now, message.text, message.text)
        pending.in_traceback = _TRACEBACK.match(message.text) is not None
        self._pending[key] = pending
        if message.has_priority:
            self._latest[key[0]] = key

    def _complete_message(self, key: Key) -> None:
        pending = self._pending.pop(key, None)
        if pending is None:
            return
        if self._latest.get(key[0]) == key:
            del self._latest[key[0]]
        event = self._parser.build_event(pending.message, pending.peer, pending.received_at)
        if isinstance(event, str):
            self._ignored[event] += pending.line_count
        else:
            self._events.append(event)
