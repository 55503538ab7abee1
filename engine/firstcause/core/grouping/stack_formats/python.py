"""Stacks of Python, and what our Sentry plugin writes for any language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.core.grouping.raised_exception import (
    MAX_FRAMES,
    RaisedException,
    StackTrace,
    split_exception,
)
from firstcause.core.grouping.stack_formats.lines import StackFormat, split_lines
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The cause comes first, the innermost frame last.
_FRAME = re.compile(r'^[\s|]*File "(?P<file>[^"]*)", line (?:\d+|\?)(?:, in (?P<name>.+))?')
_GROUP_MARGIN = re.compile(r"^\s*[|+]\s?(?=\S)")
_GROUP_MEMBER = re.compile(r"^[\s|]*\+[-+]+ \d+ -+$")
_CHAIN_LINE = re.compile(
    r"^(?:\s*\|[\s|]*)?(?:The above exception was the direct cause|During handling of the above exc|then:$)"
)


def _parse_python(lines: Sequence[str]) -> StackTrace:
    group, *members = split_lines(lines, _GROUP_MEMBER)
    *before, last = [_parse_exception(chunk) for chunk in split_lines(group, _CHAIN_LINE)]
    if members:
        return StackTrace(last, tuple(_parse_python(member).last for member in members))
    return StackTrace(last, tuple(before[:1]))


def _parse_exception(lines: Iterable[str]) -> RaisedException:
    frames: list[Frame] = []
    words: list[str] = []
    for line in lines:
        plain = _GROUP_MARGIN.sub("", line) if line.lstrip().startswith(("|", "+")) else line
        if match := _FRAME.match(plain):
            frames.append(Frame(match["file"], (match["name"] or "").strip()))
            words.clear()
        elif plain[:1].strip() and not plain.startswith(("Traceback", "Exception Group Traceback", "[")):
            words.append(plain)
    type_name, message = split_exception(words[0]) if words else ("", "")
    if not message:
        message = words[1] if len(words) > 1 else ""
    return RaisedException(type_name, tuple(frames[-MAX_FRAMES:]), message.strip())


PYTHON = StackFormat(('File "',), _FRAME, _parse_python)
