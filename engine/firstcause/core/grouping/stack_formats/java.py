"""Stacks of Java, Kotlin, Scala and other languages of their runtime."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.core.grouping.raised_exception import TYPE_NAME
from firstcause.core.grouping.stack_formats.lines import StackFormat, parse_headed
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from firstcause.core.grouping.raised_exception import StackTrace

_FRAME = re.compile(
    r"^\s*at (?:[\w.@-]*/)*(?P<name>[\w$.<>/-]+)\("
    r"(?P<file>[\w$.-]+\.(?:java|kts?|scala|groovy|clj)|Native Method|Unknown Source|<generated>|SourceFile)"
    r"(?::\d+)?\)"
)
_HEAD = re.compile(
    rf'^\s*(?:Exception in thread "[^"]*" )?(?P<cause>Caused by: |Wrapped by: )?{TYPE_NAME}(?::\s|\s*$)'
)
_SUPPRESSED = re.compile(r"^\s*Suppressed: ")
_CAUSE = re.compile(r"^\s*Caused by: ")


def _parse_java(lines: Sequence[str]) -> StackTrace:
    return parse_headed(
        _drop_suppressed(lines), _FRAME, _HEAD, lambda match: Frame("", match["name"].replace("-", "$"))
    )


def _drop_suppressed(lines: Sequence[str]) -> Iterator[str]:
    """Leave out suppressed exceptions with their frames and causes, which are indented deeper."""
    margin = None
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if margin is None and _SUPPRESSED.match(line):
            margin = depth
        elif margin is not None and line.strip() and depth <= margin:
            is_nested = depth == margin > 0 and (_CAUSE.match(line) or _SUPPRESSED.match(line))
            margin = margin if is_nested else None
        if margin is None:
            yield line


JAVA = StackFormat(("at ",), _FRAME, _parse_java)
