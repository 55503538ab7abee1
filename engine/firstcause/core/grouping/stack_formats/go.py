"""Stacks of Go: of the first goroutine, which is the one that failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.core.grouping.message_template import extract_template
from firstcause.core.grouping.raised_exception import StackTrace, parse_exception_type
from firstcause.core.grouping.stack_formats.lines import StackFormat, make_exception
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

# The function is on one line, its file on the next.
_FRAME = re.compile(r"^\s+(?P<file>\S+\.(?:go|s)):\d+(?: \+0x[0-9a-f]+)?\s*$")
_NAME = re.compile(r"^(?:created by )?(?P<name>.+?)(?:\([^()]*\))?(?: in goroutine \d+)?$")
_PANIC = re.compile(
    r"^(?:[\d/]{8,10} [\d:.]{5,15} )?(?:(?P<fatal>fatal error: )|panic: |http: panic serving \S+: )"
    r"(?P<words>.*?)(?: \[recovered(?:, repanicked)?\])?$"
)


def _parse_go(lines: Sequence[str]) -> StackTrace:
    kind, words, frames = "", "", list[Frame]()
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("goroutine ") and frames:
            break
        if (panic := _PANIC.match(line)) and not kind:
            words = panic["words"]
            kind = "fatal error" if panic["fatal"] else "panic"
            if words.startswith("runtime error"):
                kind = f"panic {extract_template(words)}"
        elif (match := _FRAME.match(line)) and (name := _NAME.match(before.strip())):
            frames.append(Frame(match["file"], name["name"]))
    if not kind:
        # The stack of an error is where it was logged, so its message tells it apart: the type is untyped.
        kind = parse_exception_type(lines[0]) or "error"
        words = "" if lines[0].startswith("goroutine ") else _read_reason(lines)
    return StackTrace(make_exception(kind, frames, words))


def _read_reason(lines: Sequence[str]) -> str:
    """Read the message before the frames, as github.com/pkg/errors writes it with %+v."""
    first, second = lines[0], lines[1] if len(lines) > 1 else ""
    return "" if _FRAME.match(second) else first


GO = StackFormat((".go:",), _FRAME, _parse_go)
