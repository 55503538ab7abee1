"""What was raised and where, out of a stack as Python, Java, JavaScript, Go, .NET or Ruby write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.grouping.message_template import template
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_HALF = 32_768
"""Characters of each end of a stack that are read: what a runaway recursion writes between is the same."""

_DEEPEST = 60
_KIND = r"(?P<kind>[A-Za-z_][\w$.+`:]*?)"
_CALLED = re.compile(rf"^{_KIND}(?::\s|:?\s*$)")


@dataclass(frozen=True)
class Raised:
    """One exception: its type without module, and its frames in the order of the stack."""

    kind: str
    frames: tuple[Frame, ...] = ()

    def places(self, *, ours: bool) -> tuple[str, ...]:
        """Of the application's frames or of all. Each once, so that recursion of any depth is the same."""
        found = dict.fromkeys(frame.place for frame in self.frames if frame.ours or not ours)
        return tuple(found)[:_DEEPEST]


@dataclass(frozen=True)
class Trace:
    """last: the exception that was raised last. causes: the first of those that led to it, or a group's."""

    last: Raised
    causes: tuple[Raised, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """What is the same whenever the same thing goes wrong in the same place."""
        ours = any(frame.ours for each in (self.last, *self.causes) for frame in each.frames)
        causes = sorted({(each.kind, *each.places(ours=ours)) for each in self.causes})
        return (
            self.last.kind,
            *self.last.places(ours=ours),
            *(part for each in causes for part in ("<-", *each)),
        )


def ends_of(stack: str) -> str:
    """A stack without the middle of what is too long."""
    return stack if len(stack) <= 2 * _HALF else f"{stack[:_HALF]}\n{stack[-_HALF:]}"


def trace_of(stack: str) -> Trace | None:
    """None where no frame can be read in it."""
    lines = ends_of(stack).replace("\r\n", "\n").split("\n")
    for frame, read in _LANGUAGES:
        if any(frame.match(line) for line in lines):
            trace = read(lines)
            return trace if trace.last.frames or any(each.frames for each in trace.causes) else None
    return None


def kind_of(name: str | None) -> str:
    """sqlalchemy.exc.OperationalError -> OperationalError."""
    return re.split(r"[.$:+]", name)[-1] if name else ""


def called(line: str | None) -> str:
    """The type that a line "KeyError: 'x'" begins with, "" where it begins with none."""
    found = _CALLED.match(line.strip()) if line else None
    name = kind_of(found["kind"]) if found else ""
    return name if re.search(r"(?:Error|Exception|Exit|Interrupt|Warning|Fault|Failure|Panic)$", name) else ""


# Python, and what our plugin for Sentry writes of any language: the cause first, the innermost frame last.

_PYTHON = re.compile(r'^[\s|]*File "(?P<file>[^"]*)", line (?:\d+|\?)(?:, in (?P<name>.+))?')
_MARGIN = re.compile(r"^\s*[|+]\s?(?=\S)")
_MEMBER = re.compile(r"^[\s|]*\+[-+]+ \d+ -+$")
_THEN = re.compile(
    r"^(?:The above exception was the direct cause|During handling of the above exception|then:$)"
)


def _python(lines: Sequence[str]) -> Trace:
    group, *members = _split(lines, _MEMBER)
    *before, last = [_of_python(chunk) for chunk in _split(group, _THEN)]
    if members:
        return Trace(last, tuple(_python(each).last for each in members))
    return Trace(last, tuple(before[:1]))


def _of_python(lines: Iterable[str]) -> Raised:
    frames: list[Frame] = []
    words: list[str] = []
    for line in lines:
        plain = _MARGIN.sub("", line) if line.lstrip().startswith(("|", "+")) else line
        if found := _PYTHON.match(plain):
            frames.append(Frame(found["file"], (found["name"] or "").strip()))
            words.clear()
        elif plain[:1].strip() and not plain.startswith(("Traceback", "Exception Group Traceback", "[")):
            words.append(plain)
    named = _CALLED.match(words[0]) if words else None
    return Raised(kind_of(named["kind"]) if named else "", tuple(frames[-_DEEPEST * 4 :]))


# Java and JavaScript: the one raised last first, and the innermost frame first.

_JAVA = re.compile(
    r"^\s*at (?:[\w.@-]*/)*(?P<name>[\w$.<>/]+)\("
    r"(?P<file>[\w$.-]+\.(?:java|kt|scala|groovy|clj)|Native Method|Unknown Source|<generated>)(?::\d+)?\)"
)
_JAVA_HEAD = re.compile(rf'^(?:Exception in thread "[^"]*" )?(?P<cause>Caused by: )?{_KIND}(?::\s|\s*$)')
_SCRIPT = re.compile(
    r"^\s*at (?:(?P<name>[^()]+?) \()?(?P<file>(?:[\w+.-]+:)?[^()]*?):\d+:\d+\)?,?(?: \{)?$"
    r"|^(?P<name2>[^@\s]*)@(?P<file2>\S+?):\d+(?::\d+)?$"
)
_SCRIPT_HEAD = re.compile(
    rf"^\s*(?:Uncaught )?(?P<cause>\[cause\]: |Caused by: )?{_KIND}(?: \[[^\]]*\])?(?::\s|\s*$)"
)


def _java(lines: Sequence[str]) -> Trace:
    # What was suppressed stands further in.
    outer = [line for line in lines if not line.startswith(("\t\t", "\tSuppressed:", "\tCaused by:"))]
    return _headed(outer, _JAVA, _JAVA_HEAD, lambda found: Frame("", found["name"]))


def _script(lines: Sequence[str]) -> Trace:
    return _headed(lines, _SCRIPT, _SCRIPT_HEAD, _script_frame)


def _script_frame(found: re.Match[str]) -> Frame:
    name = re.sub(r" \[as [^\]]*\]", "", found["name"] or found["name2"] or "<anonymous>")
    return Frame((found["file"] or found["file2"] or "").strip(), name)


def _headed(
    lines: Iterable[str],
    frame: re.Pattern[str],
    head: re.Pattern[str],
    made: Callable[[re.Match[str]], Frame],
) -> Trace:
    kinds, frames = [""], [[]]  # type: tuple[list[str], list[list[Frame]]]
    for line in lines:
        if found := frame.match(line):
            frames[-1].append(made(found))
        elif (found := head.match(line)) and (found["cause"] or not (kinds[-1] or frames[-1])):
            if frames[-1] or kinds[-1]:
                kinds.append("")
                frames.append([])
            kinds[-1] = kind_of(found["kind"])
    first, *causes = [
        Raised(kind, tuple(its[: _DEEPEST * 4])) for kind, its in zip(kinds, frames, strict=True)
    ]
    return Trace(first, tuple(causes[-1:]))


# .NET: the frames of the cause first, the names of both before them.

_NET = re.compile(r"^\s*at (?P<name>[\w.`<>|+\[\],]+)\([^)]*\)(?: in (?P<file>.+?):line \d+)?\s*$")
_NET_HEAD = re.compile(
    rf"(?:^|---> |[Uu]nhandled exception[.:] )(?:\(Inner Exception #\d+\) )?{_KIND}(?= \(0x|: |$| --->)"
)
_NET_END = re.compile(r"^\s*--- End of inner exception")


def _net(lines: Sequence[str]) -> Trace:
    head = [line.strip() for line in lines if not _NET.match(line) and not line.lstrip().startswith("--- ")]
    kinds = [kind_of(found["kind"]) for line in head for found in _NET_HEAD.finditer(line)]
    parts = [
        tuple(Frame(found["file"] or "", found["name"]) for line in part if (found := _NET.match(line)))
        for part in _split(lines, _NET_END)
    ]
    parts.reverse()
    raised = [
        Raised(kinds[place] if place < len(kinds) else "", frames) for place, frames in enumerate(parts)
    ]
    return Trace(raised[0], tuple(raised[1:][-1:]))


# Go: the function on one line, its file on the next; of the first goroutine, which is the one that failed.

_GO = re.compile(r"^\s+(?P<file>\S+\.go):\d+(?: \+0x[0-9a-f]+)?\s*$")
_GO_NAME = re.compile(r"^(?:created by )?(?P<name>.+?)(?:\([^()]*\))?(?: in goroutine \d+)?$")
_GO_PANIC = re.compile(r"^(?:panic|fatal error): (?P<words>.*?)(?: \[recovered\])?$")


def _go(lines: Sequence[str]) -> Trace:
    kind, frames = "", list[Frame]()
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("goroutine ") and frames:
            break
        if (panic := _GO_PANIC.match(line)) and not kind:
            words = panic["words"]
            kind = f"panic {template(words)}" if words.startswith("runtime error") else "panic"
        elif (found := _GO.match(line)) and (name := _GO_NAME.match(before.strip())):
            frames.append(Frame(found["file"], name["name"]))
    return Trace(Raised(kind, tuple(frames[: _DEEPEST * 4])))


# Ruby: the message after the first frame, its type in brackets at the end.

_RUBY = re.compile(
    r"^\s*(?:from |\d+: from )?(?P<file>(?:[A-Za-z]:)?[^\s:]+|<internal:[^>]*>):\d+:"
    r"in [`'](?P<name>[^']*)'(?P<rest>.*)"
)
_RUBY_KIND = re.compile(r"\((?P<kind>[A-Z][\w:]*)\)\s*$")


def _ruby(lines: Sequence[str]) -> Trace:
    raised: list[Raised] = []
    for line in lines:
        found = _RUBY.match(line)
        kind = _RUBY_KIND.search(found["rest"] if found else line)
        if found is None:
            if kind and not raised[-1:]:
                raised.append(Raised(kind_of(kind["kind"])))
            elif not raised and (name := called(line)):
                raised.append(Raised(name))
            continue
        if kind or not raised:
            raised.append(Raised(kind_of(kind["kind"]) if kind else ""))
        frames = (*raised[-1].frames, Frame(found["file"], found["name"]))
        raised[-1] = Raised(raised[-1].kind, frames[: _DEEPEST * 4])
    return Trace(raised[0], tuple(raised[1:][-1:]))


def _split(lines: Iterable[str], at: re.Pattern[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if at.match(line):
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


_LANGUAGES: tuple[tuple[re.Pattern[str], Callable[[Sequence[str]], Trace]], ...] = (
    (_PYTHON, _python),
    (_JAVA, _java),
    (_GO, _go),
    (_RUBY, _ruby),
    (_SCRIPT, _script),
    (_NET, _net),
)
"""How a frame looks, the plainest first, and who reads such a stack."""
