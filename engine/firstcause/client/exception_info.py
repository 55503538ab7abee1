"""What is known of an exception, taken on the caller's thread: no reference to it, nor to a frame, stays."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from firstcause.client.db_statement import query_of
from firstcause.client.sanitize import words

if TYPE_CHECKING:
    from types import CodeType, FrameType, TracebackType

_MOST_EXCEPTIONS = 10
_FIRST_FRAMES = 20
_LAST_FRAMES = 60
OURS = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - compared as text, many times


class Place(NamedTuple):
    """A line of code. file: as the interpreter names it. module: None where that is unknown."""

    file: str
    line: int | None
    function: str
    module: str | None = None


Step = tuple["CodeType", int | None, str | None]
"""A frame, as cheaply as it can be kept: its code, which holds no values; its line; its module."""


def place(step: Step) -> Place:
    code, line, module = step
    return Place(code.co_filename, line, code.co_name, module)


class Raised(NamedTuple):
    """One exception of a chain. kind: its type's name. steps: outermost first; left_out: of them, midway.

    link: how the one before it in a list led to it: "cause", "context", "group", "" for the first.
    """

    kind: str
    words: str
    steps: tuple[Step, ...]
    left_out: int
    link: str
    query: str | None

    @property
    def said(self) -> str:
        return f"{self.kind}: {self.words}" if self.words else self.kind


def chain(error: BaseException) -> tuple[Raised, ...]:
    """The exception, then what it came of, each by its cause, else its context; the innermost last."""
    found: list[Raised] = []
    seen: set[int] = set()
    waiting: list[tuple[BaseException, str]] = [(error, "")]
    while waiting and len(found) < _MOST_EXCEPTIONS:
        this, link = waiting.pop(0)
        if id(this) in seen:
            continue
        seen.add(id(this))
        found.append(_raised(this, link))
        if this.__cause__ is not None:
            waiting.append((this.__cause__, "cause"))
        elif this.__context__ is not None and not this.__suppress_context__:
            waiting.append((this.__context__, "context"))
        if isinstance(this, BaseExceptionGroup):
            waiting += [(each, "group") for each in this.exceptions[:_MOST_EXCEPTIONS]]
    return tuple(found)


def _raised(error: BaseException, link: str) -> Raised:
    steps, left_out = _steps(error.__traceback__)
    return Raised(type(error).__name__, _words(error), steps, left_out, link, query_of(error))


def _words(error: BaseException) -> str:
    said = getattr(error, "statement", None) is not None and error.args
    # SQLAlchemy's own text ends with the parameters, which are values of the application's.
    text = words(said[0]) if said and isinstance(said[0], str) else words(error)
    notes = getattr(error, "__notes__", None)
    return "\n".join([text, *(words(note) for note in notes[:5])]) if isinstance(notes, list) else text


def _steps(traceback: TracebackType | None) -> tuple[tuple[Step, ...], int]:
    found: list[TracebackType] = []
    while traceback is not None:
        found.append(traceback)
        traceback = traceback.tb_next
    left_out = len(found) - _FIRST_FRAMES - _LAST_FRAMES
    if left_out > 0:
        # A recursion without end: its begin and its end tell all.
        found[_FIRST_FRAMES:-_LAST_FRAMES] = []
    steps = [(tb.tb_frame.f_code, tb.tb_lineno, tb.tb_frame.f_globals.get("__name__")) for tb in found]
    return tuple(steps), max(left_out, 0)


def calling(by: str = "firstcause.client") -> Place | None:
    """Where the application called us; by: the package that it called, if that in turn called us."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way, inspect's is slower
    while frame is not None and (
        frame.f_code.co_filename.startswith(OURS) or str(frame.f_globals.get("__name__")).startswith(by)
    ):
        frame = frame.f_back
    return place((frame.f_code, frame.f_lineno, frame.f_globals.get("__name__"))) if frame else None
