"""What a stack trace says: the exceptions that were raised, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firstcause.core.grouping.stack_frame import Frame

MAX_FRAMES = 240
"""Frames of one exception that are kept."""

MAX_DEPTH = 60
"""Distinct locations of one exception that tell it from others."""

TYPE_NAME = r"(?P<kind>[*&]?[A-Za-z_][\w$.+`:\\]*?)"
_EXCEPTION_LINE = re.compile(rf"^{TYPE_NAME}(?::\s|:?\s*$)")
_EXCEPTION_NAME = re.compile(
    r"(?:Error|Exception|Exit|Interrupt|Warning|Fault|Failure|Panic|Violation|Throwable)$"
)
_UNTYPED = frozenset((
    "panic", "fatal error", "die", "error", "exit", "throw", "UnhandledPromiseRejection",
    # Go's errors that are only a text. Their stack is where the error was reported, not where it began.
    "errorString", "wrapError", "wrapErrors", "joinError", "fundamental", "withStack", "withMessage",
    "withPrefix", "withSecondary", "barrierErr", "leafError",
))  # fmt: skip
"""Types that say nothing about the error, so that its message must."""

_GENERAL = frozenset((
    "", "Error", "Exception", "BaseException", "RuntimeError", "RuntimeException", "StandardError",
    "Throwable", "ErrorException", "SystemException", "ApplicationException", "NSError", "Warning", "Notice",
))  # fmt: skip
"""Types that are used for anything: they tell an error only together with several frames."""

_NAMELESS = re.compile(
    r":(?:<anonymous>|<module>|<main>|<top \(required\)>|\{main\}|\?|)$|\.[cm]?jsx?:[A-Za-z_$][\w$]?$"
)
"""Locations without a name, and with one that a minifier made up."""


@dataclass(frozen=True)
class RaisedException:
    """One exception: its type without the module, its frames in the order of the stack, its message."""

    type_name: str
    frames: tuple[Frame, ...] = ()
    message: str = ""

    def locations(self, *, in_app: bool) -> tuple[str, ...]:
        """Return the distinct locations of the application's frames, or of all frames.

        Repeated locations count once, so that a recursion of any depth gives the same result.
        """
        unique = dict.fromkeys(frame.location for frame in self.frames if frame.in_app or not in_app)
        return tuple(unique)[:MAX_DEPTH]

    @property
    def summary(self) -> str:
        """What a person would say: the message, after the type if the type says something."""
        if not self.message or self.type_name in _UNTYPED or self.type_name.startswith("panic"):
            return self.message or self.type_name
        return f"{self.type_name}: {self.message}" if self.type_name else self.message


@dataclass(frozen=True)
class StackTrace:
    """A parsed stack trace.

    last: the exception that was raised last.
    causes: the first exception that led to it, or the members of an exception group.
    """

    last: RaisedException
    causes: tuple[RaisedException, ...] = ()

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The grouping key: the same whenever the same exception is raised in the same place."""
        in_app = self._has_app_frame
        causes = sorted({(raised.type_name, *raised.locations(in_app=in_app)) for raised in self.causes})
        return (
            self.last.type_name,
            *self.last.locations(in_app=in_app),
            *(part for cause in causes for part in ("<-", *cause)),
        )

    @property
    def title(self) -> str:
        """What a person would say: what happened, else where."""
        if summary := self.last.summary:
            return summary.partition("\n")[0]
        frames = [frame for raised in (self.last, *self.causes) for frame in raised.frames]
        frame = next((frame for frame in frames if frame.in_app), frames[0])
        file, _, function = frame.location.partition(":")
        return f"error in {function or file}" + (f" ({file})" if function and file else "")

    @cached_property
    def needs_message(self) -> bool:
        """Whether type and frames are too little to tell errors apart, so that the message must help.

        An error that has no type of its own and one frame, or only the frame of the function that reports
        all errors, would otherwise be the same as every other error there.
        """
        raised = (self.last, *self.causes)
        if all(each.type_name in _UNTYPED or (each.message and not each.type_name) for each in raised):
            return True
        if not self._has_app_frame and any(frame.is_reporter for each in raised for frame in each.frames):
            return True
        _type, *places = self.key
        if len(places) > 1:
            return False
        return self.last.type_name in _GENERAL or all(map(_NAMELESS.search, places))

    @cached_property
    def _has_app_frame(self) -> bool:
        return any(frame.in_app for raised in (self.last, *self.causes) for frame in raised.frames)


def short_type_name(name: str | None) -> str:
    """Strip the module from a type: `sqlalchemy.exc.OperationalError` -> `OperationalError`."""
    return re.split(r"[.$:+\\]", name)[-1] if name else ""


def parse_exception_type(line: str | None) -> str:
    """Parse the exception type of a line such as "KeyError: 'x'"; return "" if it has none."""
    name = split_exception(line.strip())[0] if line else ""
    return name if is_exception_name(name) else ""


def names_exception(type_name: str) -> bool:
    """Whether a word before a colon is the type of an exception rather than a word of the message."""
    return "." in type_name or "\\" in type_name or is_exception_name(type_name)


def is_exception_name(type_name: str) -> bool:
    """Whether a word has an ending that types of exceptions have."""
    return _EXCEPTION_NAME.search(type_name) is not None


def split_exception(line: str) -> tuple[str, str]:
    """Split "shop.OrderError: not saved" into type without module and message; the type is "" if missing."""
    match = _EXCEPTION_LINE.match(line)
    return (short_type_name(match["kind"]), line[match.end() :].strip()) if match else ("", line.strip())
