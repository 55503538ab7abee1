"""Parses stack traces: finds out how a stack is written, and what was raised where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.core.grouping.stack_formats.beam import ELIXIR, ERLANG
from firstcause.core.grouping.stack_formats.dart import DART
from firstcause.core.grouping.stack_formats.dotnet import DOTNET, POWERSHELL
from firstcause.core.grouping.stack_formats.go import GO
from firstcause.core.grouping.stack_formats.java import JAVA
from firstcause.core.grouping.stack_formats.javascript import JAVASCRIPT
from firstcause.core.grouping.stack_formats.native import RUST, SWIFT, C
from firstcause.core.grouping.stack_formats.php import PERL, PHP
from firstcause.core.grouping.stack_formats.python import PYTHON
from firstcause.core.grouping.stack_formats.ruby import RUBY

if TYPE_CHECKING:
    from firstcause.core.grouping.raised_exception import StackTrace
    from firstcause.core.grouping.stack_formats.lines import StackFormat

_MAX_HALF_LENGTH = 32_768
"""Characters of each end of a stack that are read. In a runaway recursion, the middle only repeats."""

_MAX_LINE_LENGTH = 1000
"""Characters of a line that are read. A longer line cannot be a frame."""

_FORMATS: tuple[StackFormat, ...] = (
    PYTHON, JAVA, GO, RUBY, DART, PHP, PERL, ELIXIR, RUST, C, SWIFT, POWERSHELL, JAVASCRIPT, DOTNET, ERLANG,
)  # fmt: skip
"""How stacks are written, the most specific first."""


def trim_middle(stack: str) -> str:
    """Cut the middle out of a stack that is too long."""
    return (
        stack
        if len(stack) <= 2 * _MAX_HALF_LENGTH
        else f"{stack[:_MAX_HALF_LENGTH]}\n{stack[-_MAX_HALF_LENGTH:]}"
    )


def parse_trace(stack: str) -> StackTrace | None:
    """Parse a stack trace; return None if it has no frame that any parser can read."""
    text = trim_middle(stack).replace("\r\n", "\n")
    lines = text.split("\n")
    if max(map(len, lines)) > _MAX_LINE_LENGTH:
        lines = [line[:_MAX_LINE_LENGTH] for line in lines]
    for form in _FORMATS:
        if form.matches(text, lines):
            trace = form.parse(lines)
            return trace if trace.last.frames or any(cause.frames for cause in trace.causes) else None
    return None
