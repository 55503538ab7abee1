"""Stacks of .NET in all languages of its messages, and of PowerShell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.core.grouping.raised_exception import (
    RaisedException,
    StackTrace,
    names_exception,
    short_type_name,
)
from firstcause.core.grouping.stack_formats.lines import StackFormat, make_exception
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

# A frame such as "at Shop.Save() in C:\shop.cs:line 41" in English, German, French, Italian, Spanish,
# Portuguese, Polish, Czech, Dutch, Swedish, Danish, Russian, Turkish, Chinese, Japanese and Korean.
_AT = r"(?:at|bei|à|in|en|em|w|v|bij|vid|ved|в|konum:|在|於|場所|위치:)"
_FRAME = re.compile(
    rf"^\s*{_AT} (?P<name>(?=[^\s(]*\.)[\w.`<>|+\[\],$@=^~-]+)(?:\((?P<a>)| \()[^()]*(?:\([^()]*\)[^()]*)*\)"
    r"(?(a)| \[0x[0-9a-f]+\])"
    r"(?: \S{1,6}:? (?P<file>[^\n]+?):(?:\w+\.? ?)?\d+\.?(?: içinde)?)?\s*(?:<---)?\s*$"
)
# The frames of the cause come first, the names of both before them.
_SEPARATOR = re.compile(r"^\s*--- .* ---\s*$")
_END_OF_INNER = re.compile(
    r"^\s*--- .*(?:inner exc|intern|innern|inre|indre|inneren|wewn|внутр|vnitřn|iç özel|内部|內部|내부)"
)
_MEMBER = re.compile(r"^\s*---> \(Inner Exception #\d+\) (?P<rest>.*)$")
_HEAD = re.compile(r"^(?P<kind>[A-Za-z_][\w.+`]*)(?: \([^()]{1,60}\))?(?:: (?P<message>.*)|$)")
# What comes before the type: "Unhandled exception. System.X", "Unbehandelte Ausnahme: System.X"
_PREFIX = re.compile(
    r"^(?P<phrase>[^\W\d][^.:\uff1a]{0,60})(?:[.:] {1,2}|\uff1a)(?=[A-Z]\w*[.\w]*(?:Exception|Error)\b)"
)


def _parse_dotnet(lines: Sequence[str]) -> StackTrace:
    heads: list[tuple[str, str]] = []
    parts: list[list[Frame]] = [[]]
    start = len(lines)
    for number, line in enumerate(lines):
        if match := _FRAME.match(line):
            parts[-1].append(Frame(_find_file(match), match["name"]))
        elif _MEMBER.match(line):
            start = number
            break
        elif not _SEPARATOR.match(line):
            _add_heads(heads, line.strip())
        elif _END_OF_INNER.match(line):
            parts.append([])
    parts.reverse()
    unknown = ("", "")
    heads += [unknown] * (len(parts) - len(heads))
    parts += [[]] * (len(heads) - len(parts))
    raised = [
        make_exception(short_type_name(kind), frames, message)
        for (kind, message), frames in zip(heads, parts, strict=True)
    ]
    members = _parse_members(lines[start:])
    return StackTrace(raised[0], (*raised[1:][-1:], *members))


def _find_file(match: re.Match[str]) -> str:
    # Mono writes the checksum of the assembly where it does not know the file.
    file = match["file"] or ""
    return "" if file.startswith("<") else file


def _add_heads(heads: list[tuple[str, str]], line: str) -> None:
    """Add types and messages: of the exception that was raised last, then of what caused it."""
    first, *inner = line.split("---> ")
    if first.strip() and (head := _parse_head(first.strip())) and _is_better(head, heads):
        heads[:] = [head]
    heads += [head for each in inner if (head := _parse_head(each.strip()))]


def _is_better(head: tuple[str, str], heads: Sequence[tuple[str, str]]) -> bool:
    return not heads or (len(heads) == 1 and names_exception(head[0]) and not names_exception(heads[0][0]))


def _parse_head(text: str) -> tuple[str, str] | None:
    prefix = _PREFIX.match(text)
    if prefix and (" " in prefix["phrase"] or not names_exception(prefix["phrase"])):
        text = text[prefix.end() :]
    match = _HEAD.match(text)
    return (match["kind"], match["message"] or "") if match else None


def _parse_members(lines: Sequence[str]) -> list[RaisedException]:
    """Parse the further exceptions of an AggregateException."""
    members: list[list[str]] = []
    for line in lines:
        if match := _MEMBER.match(line):
            members.append([match["rest"]])
        elif members:
            members[-1].append(line)
    return [_parse_dotnet(member).last for member in members]


DOTNET = StackFormat(("(",), _FRAME, _parse_dotnet)

_POWERSHELL_FRAME = re.compile(
    r"^(?:At (?P<file>[^\n]+?):\d+ char:\d+|\s*at (?P<name>[^,\n]+), (?P<file2>[^\n]+?): line \d+)\s*$"
)
_POWERSHELL_ID = re.compile(r"^\s*\+ FullyQualifiedErrorId : (?P<kind>[^,\n]+)")
_POWERSHELL_HEAD = re.compile(r"^(?P<name>[\w.\\:-]+) ?: (?P<message>.+)$")


def _parse_powershell(lines: Sequence[str]) -> StackTrace:
    kind, message, frames = "", "", list[Frame]()
    for line in lines:
        if match := _POWERSHELL_FRAME.match(line):
            frames.append(Frame(match["file"] or match["file2"], match["name"] or ""))
        elif match := _POWERSHELL_ID.match(line):
            kind = match["kind"].strip()
        elif not message and not frames and line.strip():
            head = _POWERSHELL_HEAD.match(line)
            message = head["message"] if head else line
    return StackTrace(make_exception("" if kind == message else kind, frames, message))


POWERSHELL = StackFormat(("At ", ": line "), _POWERSHELL_FRAME, _parse_powershell)
