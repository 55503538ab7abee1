"""What parsers of several languages share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from firstcause.core.grouping.raised_exception import (
    MAX_FRAMES,
    RaisedException,
    StackTrace,
    is_exception_name,
    names_exception,
    short_type_name,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Sequence

    from firstcause.core.grouping.stack_frame import Frame


class StackFormat(NamedTuple):
    """A way to write stacks.

    markers: a stack without any of these is not of this format.
    frame: matches a line that only this format has.
    """

    markers: tuple[str, ...]
    frame: re.Pattern[str]
    parse: Callable[[Sequence[str]], StackTrace]

    def matches(self, stack: str, lines: Sequence[str]) -> bool:
        """Whether a stack is of this format."""
        return any(marker in stack for marker in self.markers) and any(map(self.frame.match, lines))


def split_lines(lines: Iterable[str], separator: re.Pattern[str]) -> list[list[str]]:
    """Split lines at those that the separator matches, which are left out."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if separator.match(line):
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def make_exception(type_name: str, frames: Iterable[Frame], message: str = "") -> RaisedException:
    """Build an exception, with as many frames as are kept."""
    return RaisedException(type_name, tuple(frames)[:MAX_FRAMES], message.strip())


def parse_headed(
    lines: Iterable[str],
    frame: re.Pattern[str],
    head: re.Pattern[str],
    make_frame: Callable[[re.Match[str]], Frame],
) -> StackTrace:
    """Parse a stack that begins with the exception that was raised last, before its frames.

    head: has a group `kind`, and a group `cause` for the exception that led to the one before it.
    """
    types, messages, frames = [""], [""], [[]]  # type: tuple[list[str], list[str], list[list[Frame]]]
    for line in lines:
        if match := frame.match(line):
            frames[-1].append(make_frame(match))
        elif match := head.match(line):
            if match["cause"] and (frames[-1] or types[-1]):
                for values in (types, messages):
                    values.append("")
                frames.append([])
            # A log line before the exception may look like one: "ERROR: cannot save".
            is_better = _rate_type(match["kind"]) > _rate_type(types[-1])
            if not frames[-1] and (not types[-1] or is_better):
                types[-1] = match["kind"]
                messages[-1] = line[match.end() :]
        elif types[-1] and not messages[-1] and not frames[-1]:
            messages[-1] = line
    first, *causes = [
        make_exception(short_type_name(kind), kind_frames, message)
        for kind, message, kind_frames in zip(types, messages, frames, strict=True)
    ]
    return StackTrace(first, tuple(causes[-1:]))


def _rate_type(name: str) -> int:
    """How much a word before a colon looks like the type of an exception."""
    return names_exception(name) + is_exception_name(name)
