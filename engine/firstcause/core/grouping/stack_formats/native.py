"""Stacks of Rust, C, C++ and Swift: panics, debuggers, sanitizers, crash reports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.core.grouping.raised_exception import StackTrace, short_type_name
from firstcause.core.grouping.stack_formats.lines import StackFormat, make_exception
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

# The message is on the line of the panic before Rust 1.73, on the next one since then.
_RUST_PANIC = re.compile(
    r"(?:^|.*? )thread '[^']*'(?: \(\d+\))? panicked at "
    r"(?:'(?P<message>.*)', )?(?P<file>(?:[A-Za-z]:)?[^\s:']+):\d+(?::\d+)?:?$"
)
_RUST_NAME = re.compile(r"^\s*\d+:\s+(?:0x[0-9a-f]+ - )?(?P<name>[^\s\d].*)$")
_RUST_FILE = re.compile(r"^\s+at (?P<file>.+?):\d+(?::\d+)?$")
_RUST_ERROR = re.compile(r"^Error: (?P<message>.+)$")
_RUST_LINE = re.compile(
    rf"{_RUST_PANIC.pattern}|^\s*\d+:\s+(?:0x[0-9a-f]+ - )?(?:_?[\w<&]+::|rust_begin_unwind)"
)


def _parse_rust(lines: Sequence[str]) -> StackTrace:
    kind, message, file, frames = "", "", "", list[Frame]()
    is_next_message = False
    for line in lines:
        if (panic := _RUST_PANIC.match(line)) and not kind:
            kind, message, file = "panic", panic["message"] or "", panic["file"]
            is_next_message = panic["message"] is None
        elif panic and frames:
            break
        elif is_next_message:
            message, is_next_message = line, False
        elif match := _RUST_NAME.match(line):
            frames.append(Frame("", match["name"].strip()))
        elif (match := _RUST_FILE.match(line)) and frames:
            frames[-1] = Frame(match["file"], frames[-1].name)
        elif (match := _RUST_ERROR.match(line)) and not kind:
            kind, message = "Error", match["message"]
    return StackTrace(make_exception(kind, frames or ([Frame(file, "")] if file else []), message))


RUST = StackFormat((" panicked at ", "0: "), _RUST_LINE, _parse_rust)

_C_FRAME = re.compile(
    r"^\s*#(?P<number>\d+) +(?:0x[0-9a-f]+ in )?(?P<name>[^\s(].*?) ?(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?"
    r"(?: (?:at )?(?P<file>[^\s():]+):\d+(?::\d+)?"
    r"| (?:from )?\(?(?P<library>[^\s()]+)\)?(?: \(BuildId: \w+\))?)?$"
    r"|^(?P<library2>[^\s()]+)\((?P<name2>[\w.~:]*)\+0x[0-9a-f]+\) ?\[0x[0-9a-f]+\]$"
)
_C_LINE = re.compile(
    r"^\s*#\d+ +(?:0x[0-9a-f]+ in \S|[^\s(][^(]* \([^()]*(?:\([^()]*\)[^()]*)*\) at \S+:\d+$)"
    r"|^[^\s()]+\([\w.~:]*\+0x[0-9a-f]+\) ?\[0x[0-9a-f]+\]$"
)
_C_REASONS = (
    re.compile(r"ERROR: (?P<kind>\w+Sanitizer): (?P<words>.+?)(?: on (?:unknown )?address.*| \(pc .*)?$"),
    re.compile(r"(?P<kind>\w+Sanitizer): (?P<words>data race|[\w -]+?) \(pid=\d+\)$"),
    re.compile(r"^terminate called after throwing an instance of '(?P<kind>[^']+)'"),
    re.compile(r"^(?:\S+: )?\S+:\d+: [^\n]*?(?P<kind>Assertion) [`'](?P<words>[^\n]+)' failed\."),
    re.compile(r"signal (?P<kind>SIG[A-Z]+), (?P<words>[^\n.]+)"),
)
_WHAT = re.compile(r"^\s*what\(\):\s+(?P<words>.+)$")


def _parse_c(lines: Sequence[str]) -> StackTrace:
    kind, message, frames = "", "", list[Frame]()
    for line in lines:
        if match := _C_FRAME.match(line):
            if match["number"] == "0" and frames:
                break
            library = match["library"] or match["library2"]
            file = match["file"] or (f"/usr/lib/{library.rpartition('/')[2]}" if _is_shared(library) else "")
            frames.append(Frame(file, _strip_template(match["name"] or match["name2"] or "?")))
        elif not kind and (match := _find_reason(line)):
            kind, message = match["kind"], match.groupdict().get("words") or ""
        elif not message and (match := _WHAT.match(line)):
            message = match["words"]
    if kind.endswith("Sanitizer"):
        kind, message = f"{kind}: {message}", ""
    return StackTrace(make_exception(kind if ": " in kind else short_type_name(kind), frames, message))


def _find_reason(line: str) -> re.Match[str] | None:
    return next((match for pattern in _C_REASONS if (match := pattern.search(line))), None)


def _is_shared(library: str | None) -> bool:
    return library is not None and ".so" in library


def _strip_template(name: str) -> str:
    return re.sub(r"<[^<>]*>", "", name)


C = StackFormat(("#0", "#1", "+0x"), _C_LINE, _parse_c)

_SWIFT_FRAME = re.compile(
    r"^\s*\d+ (?:\[[\w ]+\] ){0,3}0x[0-9a-f]+ (?P<name>.+?) \+ \d+ in (?P<image>[^\s/]+)"
    r"(?: at (?P<file>[^\s:]+)(?::\d+){1,2})?$"
    r"|^\s*\d+\s+(?P<image2>[\w.+-]+)\s+0x[0-9a-f]+ (?P<name2>.+?) \+ \d+(?: \((?P<file2>[^():]+):\d+\))?$"
)
_SWIFT_REASONS = (
    re.compile(r"(?:^|: )(?:Swift/)?Fatal error: (?P<words>.+?)(?:: file \S+, line \d+)?$"),
    re.compile(r"uncaught exception '(?P<kind>\w+)', reason: '(?P<words>.+?)'?$"),
    re.compile(r"^Exception Type: +(?P<words>.+)$"),
)


def _parse_swift(lines: Sequence[str]) -> StackTrace:
    kind, message, frames, was_frame = "", "", list[Frame](), False
    for line in lines:
        if match := _SWIFT_FRAME.match(line):
            if frames and not was_frame:
                break
            was_frame = True
            file = match["file"] or match["file2"] or match["image"] or match["image2"]
            frames.append(Frame(file, match["name"] or match["name2"]))
            continue
        was_frame = was_frame and bool(line.strip()) and line.startswith(" ")
        for pattern in _SWIFT_REASONS if not message else ():
            if reason := pattern.search(line):
                kind, message = reason.groupdict().get("kind") or "fatal error", reason["words"]
                break
    return StackTrace(make_exception(kind, frames, message))


SWIFT = StackFormat((" + ",), _SWIFT_FRAME, _parse_swift)
