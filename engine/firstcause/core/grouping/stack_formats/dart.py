"""Stacks of Dart and Flutter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.core.grouping.raised_exception import StackTrace, names_exception, split_exception
from firstcause.core.grouping.stack_formats.lines import StackFormat, make_exception
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

_FRAME = re.compile(
    r"^(?:[IE]/flutter *\( *\d+\): )?#(?P<number>\d+) +(?P<name>[^\n]+?) \((?P<file>(?:package|dart|file"
    r"|https?|org-dartlang[\w-]*):[^\s)]+?)"
    r"(?::\d+){0,2}\)$"
)
_PREFIX = re.compile(
    r"^(?:[IE]/flutter *\( *\d+\): )?(?:\[ERROR:[^\]]*\] )?(?:Unhandled [Ee]xception: ?|Uncaught Error: )?"
)
_THROWN = re.compile(r"^The following (?P<kind>\w+)(?:<.*>)? was thrown")
_NO_REASON = re.compile(
    r"^(?:[═╡╞]|When the exception was thrown|The relevant error-causing|#\d|<asynchronous|$)"
)


def _parse_dart(lines: Sequence[str]) -> StackTrace:
    kind, message, frames = "", "", list[Frame]()
    for line in lines:
        plain = line[_PREFIX.match(line).end() :] if _PREFIX.match(line) else line  # type: ignore[union-attr]
        if match := _FRAME.match(line):
            if match["number"] == "0" and frames:
                break
            frames.append(Frame(match["file"], match["name"]))
        elif match := _THROWN.match(plain):
            kind = kind or match["kind"]
        elif not message and not frames and not _NO_REASON.match(plain):
            name, rest = split_exception(plain)
            is_typed = names_exception(name) and rest
            kind, message = (kind or name, rest) if is_typed else (kind, plain)
    return StackTrace(make_exception(kind.lstrip("_"), frames, message))


DART = StackFormat(("package:", "dart:", "file:"), _FRAME, _parse_dart)
