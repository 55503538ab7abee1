"""Exception groups: several exceptions under one, whose own text says nothing of what happened.

Python's ExceptionGroup (asyncio.TaskGroup), Node's AggregateError (Promise.any), .NET's AggregateException.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from firstcause.core.catalog import Catalog
    from firstcause.core.model import Event

_MARKERS = ("ExceptionGroup", "AggregateE", "sub-exception", "Exception Group Traceback")
_GROUP = re.compile(
    r"\b(?:Base)?ExceptionGroup\b|\bAggregateE(?:rror|xception)\b|\(\d+ sub-exceptions?\)"
    r"|\+ Exception Group Traceback"
)
_CANCELLED = re.compile(r"(?:[\w.]+\.)?(?:\w*Cancel\w*|GeneratorExit|KeyboardInterrupt|AbortError)\b")
_PYTHON_LINE = re.compile(r"[\s|]*\| ([A-Za-z_][\w.]*(?:: .*)?)$")
_PYTHON_RULE = re.compile(r"[\s|]*(?:\+-)?\+-{4}")
_DOTNET_MEMBER = re.compile(
    r" ?---> (?:\(Inner Exception #\d+\) )?([A-Za-z_][\w.]*(?:Exception|Error): [^\r\n]*)"
)
_DOTNET_END = re.compile(r"<-{3}\s*$")
_NODE_MEMBERS = re.compile(r"\[errors\]: \[(.*)", re.DOTALL)
_NODE_MEMBER = re.compile(r"^\s+((?:[A-Z]\w*)?(?:Error|Exception)(?: \[\w+\])?: [^\r\n]*)", re.MULTILINE)
_MAX_MEMBERS = 50


def tell_by_member(event: Event, catalog: Catalog) -> Event:
    """Let an event about a group say what its likeliest member says; any other event stays as it is.

    That is a member that the catalog knows, else the most frequent one that was not merely cancelled. The
    order of the members changes nothing. What the group said stays in the details.
    """
    message = event.message or ""
    if not any(marker in message for marker in _MARKERS) or not _GROUP.search(message):
        return event
    members = sorted(Counter(_list_members(event)).items(), key=lambda member: (-member[1], member[0]))
    texts = [text for text, _ in members]
    failed = [text for text in texts if not _CANCELLED.match(text)] or texts
    if not failed:
        return event
    known = [text for text in failed if catalog.match_message(text) is not None]
    head = message.strip().partition("\n")[0]
    details = {**event.details, "exception_group": head}
    return event.model_copy(update={"message": (known or failed)[0], "details": details})


def _list_members(event: Event) -> list[str]:
    listed = event.details.get("caused_by")
    texts = [text for text in listed if isinstance(text, str)] if isinstance(listed, list | tuple) else []
    stack = event.stack if event.stack and _GROUP.search(event.stack) else event.message or ""
    texts = texts or list(_read_members(stack))
    lines = (text.strip().partition("\n")[0] for text in texts[:_MAX_MEMBERS])
    return [line for line in lines if line and not _GROUP.search(line)]


def _read_members(stack: str) -> Iterator[str]:
    lines = stack.split("\n")
    yield from _read_python_members(lines)
    for match in _DOTNET_MEMBER.finditer(stack):
        yield _DOTNET_END.sub("", match[1])
    if members := _NODE_MEMBERS.search(stack):
        yield from (member[1] for member in _NODE_MEMBER.finditer(members[1]))


def _read_python_members(lines: Sequence[str]) -> Iterator[str]:
    """Read the last lines of the members' tracebacks: notes may follow, and a rule ends each."""
    latest: str | None = None
    for line in lines:
        if _PYTHON_RULE.match(line):
            if latest is not None:
                yield latest
            latest = None
        elif (match := _PYTHON_LINE.match(line)) and latest is None:
            latest = match[1] if match[1] != "Traceback (most recent call last):" else None
