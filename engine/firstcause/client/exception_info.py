"""What is known of an exception, taken on the caller's thread: no reference to it, nor to a frame, stays."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from firstcause.client.db_statement import extract_query
from firstcause.client.sanitize import to_text

if TYPE_CHECKING:
    from types import CodeType, FrameType, TracebackType

_MAX_EXCEPTIONS = 10
_MAX_FIRST_FRAMES = 20
_MAX_LAST_FRAMES = 60
CLIENT_DIR = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - compared as text, many times


class CodeLocation(NamedTuple):
    """A line of code. file: as the interpreter names it. module: None where that is unknown."""

    file: str
    line: int | None
    function: str
    module: str | None = None


FrameEntry = tuple["CodeType", int | None, str | None]
"""A frame, as cheaply as it can be kept: its code, which holds no values; its line; its module."""


def to_location(frame: FrameEntry) -> CodeLocation:
    code, line, module = frame
    return CodeLocation(code.co_filename, line, code.co_name, module)


class CapturedException(NamedTuple):
    """One exception of a chain. kind: its type's name. steps: outermost first; left_out: of them, midway.

    link: how the one before it in a list led to it: "cause", "context", "group", "" for the first.
    """

    type_name: str
    text: str
    frames: tuple[FrameEntry, ...]
    omitted_frames: int
    link: str
    query: str | None

    @property
    def description(self) -> str:
        return f"{self.type_name}: {self.text}" if self.text else self.type_name


def capture_chain(error: BaseException) -> tuple[CapturedException, ...]:
    """The exception, then what it came of, each by its cause, else its context; the innermost last."""
    exceptions: list[CapturedException] = []
    visited: set[int] = set()
    pending: list[tuple[BaseException, str]] = [(error, "")]
    while pending and len(exceptions) < _MAX_EXCEPTIONS:
        current, link = pending.pop(0)
        if id(current) in visited:
            continue
        visited.add(id(current))
        exceptions.append(_capture_exception(current, link))
        if current.__cause__ is not None:
            pending.append((current.__cause__, "cause"))
        elif current.__context__ is not None and not current.__suppress_context__:
            pending.append((current.__context__, "context"))
        if isinstance(current, BaseExceptionGroup):
            pending += [(member, "group") for member in current.exceptions[:_MAX_EXCEPTIONS]]
    return tuple(exceptions)


def _capture_exception(error: BaseException, link: str) -> CapturedException:
    frames, omitted_frames = _collect_frames(error.__traceback__)
    return CapturedException(
        type(error).__name__, _format_text(error), frames, omitted_frames, link, extract_query(error)
    )


def _format_text(error: BaseException) -> str:
    arguments = getattr(error, "statement", None) is not None and error.args
    # SQLAlchemy's own text ends with the parameters, which are values of the application's.
    text = to_text(arguments[0]) if arguments and isinstance(arguments[0], str) else to_text(error)
    notes = getattr(error, "__notes__", None)
    return "\n".join([text, *(to_text(note) for note in notes[:5])]) if isinstance(notes, list) else text


def _collect_frames(traceback: TracebackType | None) -> tuple[tuple[FrameEntry, ...], int]:
    tracebacks: list[TracebackType] = []
    while traceback is not None:
        tracebacks.append(traceback)
        traceback = traceback.tb_next
    omitted_frames = len(tracebacks) - _MAX_FIRST_FRAMES - _MAX_LAST_FRAMES
    if omitted_frames > 0:
        # An endless recursion: its first and last frames are enough.
        tracebacks[_MAX_FIRST_FRAMES:-_MAX_LAST_FRAMES] = []
    frames = [(tb.tb_frame.f_code, tb.tb_lineno, tb.tb_frame.f_globals.get("__name__")) for tb in tracebacks]
    return tuple(frames), max(omitted_frames, 0)


def find_caller(package_prefix: str = "firstcause.client") -> CodeLocation | None:
    """Find the line in the application that called us. by: the package through which it called us."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way, inspect's is slower
    while frame is not None and (
        frame.f_code.co_filename.startswith(CLIENT_DIR)
        or str(frame.f_globals.get("__name__")).startswith(package_prefix)
    ):
        frame = frame.f_back
    return to_location((frame.f_code, frame.f_lineno, frame.f_globals.get("__name__"))) if frame else None
