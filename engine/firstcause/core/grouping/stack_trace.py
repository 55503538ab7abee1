"""Parses stack traces of Python, Java, JavaScript, Go, .NET and Ruby."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.grouping.message_template import extract_template
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_MAX_HALF_LENGTH = 32_768
"""Characters of each end of a stack that are read. In a runaway recursion, the middle only repeats."""

_MAX_DEPTH = 60
_TYPE_NAME = r"(?P<kind>[A-Za-z_][\w$.+`:]*?)"
_EXCEPTION_LINE = re.compile(rf"^{_TYPE_NAME}(?::\s|:?\s*$)")


@dataclass(frozen=True)
class RaisedException:
    """One exception: its type without the module, and its frames in the order of the stack."""

    type_name: str
    frames: tuple[Frame, ...] = ()

    def locations(self, *, in_app: bool) -> tuple[str, ...]:
        """Return the distinct locations of the application's frames, or of all frames.

        Repeated locations count once, so that a recursion of any depth gives the same result.
        """
        unique = dict.fromkeys(frame.location for frame in self.frames if frame.in_app or not in_app)
        return tuple(unique)[:_MAX_DEPTH]


@dataclass(frozen=True)
class StackTrace:
    """A parsed stack trace.

    last: the exception that was raised last.
    causes: the first exception that led to it, or the members of an exception group.
    """

    last: RaisedException
    causes: tuple[RaisedException, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The grouping key: the same whenever the same exception is raised in the same place."""
        in_app = any(frame.in_app for raised in (self.last, *self.causes) for frame in raised.frames)
        causes = sorted({(raised.type_name, *raised.locations(in_app=in_app)) for raised in self.causes})
        return (
            self.last.type_name,
            *self.last.locations(in_app=in_app),
            *(part for cause in causes for part in ("<-", *cause)),
        )


def trim_middle(stack: str) -> str:
    """Cut the middle out of a stack that is too long."""
    return (
        stack
        if len(stack) <= 2 * _MAX_HALF_LENGTH
        else f"{stack[:_MAX_HALF_LENGTH]}\n{stack[-_MAX_HALF_LENGTH:]}"
    )


def parse_trace(stack: str) -> StackTrace | None:
    """Parse a stack trace; return None if it has no frame that any parser can read."""
    lines = trim_middle(stack).replace("\r\n", "\n").split("\n")
    for frame, parse in _PARSERS:
        if any(frame.match(line) for line in lines):
            trace = parse(lines)
            return trace if trace.last.frames or any(cause.frames for cause in trace.causes) else None
    return None


def short_type_name(name: str | None) -> str:
    """Strip the module from a type: `sqlalchemy.exc.OperationalError` -> `OperationalError`."""
    return re.split(r"[.$:+]", name)[-1] if name else ""


def parse_exception_type(line: str | None) -> str:
    """Parse the exception type of a line such as "KeyError: 'x'"; return "" if it has none."""
    match = _EXCEPTION_LINE.match(line.strip()) if line else None
    name = short_type_name(match["kind"]) if match else ""
    return name if re.search(r"(?:Error|Exception|Exit|Interrupt|Warning|Fault|Failure|Panic)$", name) else ""


# Python, and what our Sentry plugin writes for any language: the cause first, the innermost frame last.

_PYTHON_FRAME = re.compile(r'^[\s|]*File "(?P<file>[^"]*)", line (?:\d+|\?)(?:, in (?P<name>.+))?')
_GROUP_MARGIN = re.compile(r"^\s*[|+]\s?(?=\S)")
_GROUP_MEMBER = re.compile(r"^[\s|]*\+[-+]+ \d+ -+$")
_CHAIN_LINE = re.compile(
    r"^(?:The above exception was the direct cause|During handling of the above exception|then:$)"
)


def _parse_python(lines: Sequence[str]) -> StackTrace:
    group, *members = _split_lines(lines, _GROUP_MEMBER)
    *before, last = [_parse_python_exception(chunk) for chunk in _split_lines(group, _CHAIN_LINE)]
    if members:
        return StackTrace(last, tuple(_parse_python(member).last for member in members))
    return StackTrace(last, tuple(before[:1]))


def _parse_python_exception(lines: Iterable[str]) -> RaisedException:
    frames: list[Frame] = []
    words: list[str] = []
    for line in lines:
        plain = _GROUP_MARGIN.sub("", line) if line.lstrip().startswith(("|", "+")) else line
        if match := _PYTHON_FRAME.match(plain):
            frames.append(Frame(match["file"], (match["name"] or "").strip()))
            words.clear()
        elif plain[:1].strip() and not plain.startswith(("Traceback", "Exception Group Traceback", "[")):
            words.append(plain)
    head = _EXCEPTION_LINE.match(words[0]) if words else None
    return RaisedException(short_type_name(head["kind"]) if head else "", tuple(frames[-_MAX_DEPTH * 4 :]))


# Java and JavaScript: the exception that was raised last comes first, and so does the innermost frame.

_JAVA_FRAME = re.compile(
    r"^\s*at (?:[\w.@-]*/)*(?P<name>[\w$.<>/]+)\("
    r"(?P<file>[\w$.-]+\.(?:java|kt|scala|groovy|clj)|Native Method|Unknown Source|<generated>)(?::\d+)?\)"
)
_JAVA_HEAD = re.compile(rf'^(?:Exception in thread "[^"]*" )?(?P<cause>Caused by: )?{_TYPE_NAME}(?::\s|\s*$)')
_JS_FRAME = re.compile(
    r"^\s*at (?:(?P<name>[^()]+?) \()?(?P<file>(?:[\w+.-]+:)?[^()]*?):\d+:\d+\)?,?(?: \{)?$"
    r"|^(?P<name2>[^@\s]*)@(?P<file2>\S+?):\d+(?::\d+)?$"
)
_JS_HEAD = re.compile(
    rf"^\s*(?:Uncaught )?(?P<cause>\[cause\]: |Caused by: )?{_TYPE_NAME}(?: \[[^\]]*\])?(?::\s|\s*$)"
)


def _parse_java(lines: Sequence[str]) -> StackTrace:
    # Suppressed exceptions are indented deeper.
    outer = [line for line in lines if not line.startswith(("\t\t", "\tSuppressed:", "\tCaused by:"))]
    return _parse_headed(outer, _JAVA_FRAME, _JAVA_HEAD, lambda match: Frame("", match["name"]))


def _parse_javascript(lines: Sequence[str]) -> StackTrace:
    return _parse_headed(lines, _JS_FRAME, _JS_HEAD, _make_js_frame)


def _make_js_frame(match: re.Match[str]) -> Frame:
    name = re.sub(r" \[as [^\]]*\]", "", match["name"] or match["name2"] or "<anonymous>")
    return Frame((match["file"] or match["file2"] or "").strip(), name)


def _parse_headed(
    lines: Iterable[str],
    frame: re.Pattern[str],
    head: re.Pattern[str],
    make_frame: Callable[[re.Match[str]], Frame],
) -> StackTrace:
    kinds, frames = [""], [[]]  # type: tuple[list[str], list[list[Frame]]]
    for line in lines:
        if match := frame.match(line):
            frames[-1].append(make_frame(match))
        elif (match := head.match(line)) and (match["cause"] or not (kinds[-1] or frames[-1])):
            if frames[-1] or kinds[-1]:
                kinds.append("")
                frames.append([])
            kinds[-1] = short_type_name(match["kind"])
    first, *causes = [
        RaisedException(kind, tuple(kind_frames[: _MAX_DEPTH * 4]))
        for kind, kind_frames in zip(kinds, frames, strict=True)
    ]
    return StackTrace(first, tuple(causes[-1:]))


# .NET: the frames of the cause first, the names of both before them.

_DOTNET_FRAME = re.compile(r"^\s*at (?P<name>[\w.`<>|+\[\],]+)\([^)]*\)(?: in (?P<file>.+?):line \d+)?\s*$")
_DOTNET_HEAD = re.compile(
    rf"(?:^|---> |[Uu]nhandled exception[.:] )(?:\(Inner Exception #\d+\) )?{_TYPE_NAME}(?= \(0x|: |$| --->)"
)
_DOTNET_END = re.compile(r"^\s*--- End of inner exception")


def _parse_dotnet(lines: Sequence[str]) -> StackTrace:
    head = [
        line.strip()
        for line in lines
        if not _DOTNET_FRAME.match(line) and not line.lstrip().startswith("--- ")
    ]
    kinds = [short_type_name(match["kind"]) for line in head for match in _DOTNET_HEAD.finditer(line)]
    parts = [
        tuple(
            Frame(match["file"] or "", match["name"]) for line in part if (match := _DOTNET_FRAME.match(line))
        )
        for part in _split_lines(lines, _DOTNET_END)
    ]
    parts.reverse()
    raised = [
        RaisedException(kinds[index] if index < len(kinds) else "", frames)
        for index, frames in enumerate(parts)
    ]
    return StackTrace(raised[0], tuple(raised[1:][-1:]))


# Go: the function on one line, its file on the next; of the first goroutine, which is the one that failed.

_GO_FRAME = re.compile(r"^\s+(?P<file>\S+\.go):\d+(?: \+0x[0-9a-f]+)?\s*$")
_GO_NAME = re.compile(r"^(?:created by )?(?P<name>.+?)(?:\([^()]*\))?(?: in goroutine \d+)?$")
_GO_PANIC = re.compile(r"^(?:panic|fatal error): (?P<words>.*?)(?: \[recovered\])?$")


def _parse_go(lines: Sequence[str]) -> StackTrace:
    kind, frames = "", list[Frame]()
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("goroutine ") and frames:
            break
        if (panic := _GO_PANIC.match(line)) and not kind:
            words = panic["words"]
            kind = f"panic {extract_template(words)}" if words.startswith("runtime error") else "panic"
        elif (match := _GO_FRAME.match(line)) and (name := _GO_NAME.match(before.strip())):
            frames.append(Frame(match["file"], name["name"]))
    return StackTrace(RaisedException(kind, tuple(frames[: _MAX_DEPTH * 4])))


# Ruby: the message after the first frame, its type in brackets at the end.

_RUBY_FRAME = re.compile(
    r"^\s*(?:from |\d+: from )?(?P<file>(?:[A-Za-z]:)?[^\s:]+|<internal:[^>]*>):\d+:"
    r"in [`'](?P<name>[^']*)'(?P<rest>.*)"
)
_RUBY_KIND = re.compile(r"\((?P<kind>[A-Z][\w:]*)\)\s*$")


def _parse_ruby(lines: Sequence[str]) -> StackTrace:
    raised: list[RaisedException] = []
    for line in lines:
        match = _RUBY_FRAME.match(line)
        kind = _RUBY_KIND.search(match["rest"] if match else line)
        if match is None:
            if kind and not raised[-1:]:
                raised.append(RaisedException(short_type_name(kind["kind"])))
            elif not raised and (name := parse_exception_type(line)):
                raised.append(RaisedException(name))
            continue
        if kind or not raised:
            raised.append(RaisedException(short_type_name(kind["kind"]) if kind else ""))
        frames = (*raised[-1].frames, Frame(match["file"], match["name"]))
        raised[-1] = RaisedException(raised[-1].type_name, frames[: _MAX_DEPTH * 4])
    return StackTrace(raised[0], tuple(raised[1:][-1:]))


def _split_lines(lines: Iterable[str], separator: re.Pattern[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if separator.match(line):
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


_PARSERS: tuple[tuple[re.Pattern[str], Callable[[Sequence[str]], StackTrace]], ...] = (
    (_PYTHON_FRAME, _parse_python),
    (_JAVA_FRAME, _parse_java),
    (_GO_FRAME, _parse_go),
    (_RUBY_FRAME, _parse_ruby),
    (_JS_FRAME, _parse_javascript),
    (_DOTNET_FRAME, _parse_dotnet),
)
"""The pattern of a frame, the most specific first, and the parser of such a stack."""
