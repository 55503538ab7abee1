"""Stacks of PHP and of Perl: both name the function that was called, and the file that called it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.core.grouping.raised_exception import RaisedException, StackTrace, short_type_name
from firstcause.core.grouping.stack_formats.lines import StackFormat, make_exception
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PHP_FRAME = re.compile(
    r"^#\d+ (?:(?P<file>(?:[A-Za-z]:)?[^:(){}\n]+(?:\(\d+\) : eval\(\)'d code)?)\(\d+\)"
    r"|\[internal function\]): "
    r"(?P<name>[^(\n]+)\("
    r"|^#\d+ (?P<main>\{main\})"
)
_PHP_TYPE = r"(?P<kind>[A-Za-z_][\w\\]*)"
_PHP_HEAD = re.compile(
    r"(?:PHP )?(?:(?P<level>Fatal error|Parse error|Warning|Notice|Deprecated|Recoverable fatal error|"
    r"User error|Strict Standards): {1,2})?"
    rf"(?:(?:Uncaught |(?P<next>Next ))?{_PHP_TYPE}: )?(?P<message>.*?) in (?P<file>\S+?)(?::\d+"
    rf"| on line \d+)$"
)
_LARAVEL_HEAD = re.compile(
    rf"(?P<previous>\[previous exception\] )?\[object\] \({_PHP_TYPE}\(code: [^)]*\): "
    r"(?P<message>.*) at (?P<file>\S+?):\d+\)?$"
)
_THROWN = re.compile(r"^\s*thrown in (?P<file>\S+) on line \d+$")
# PHP itself writes the time before it, php-fpm and a web server what follows.
_PHP_START = re.compile(
    r"^(?:\[[^\]]{1,60}\] |.{0,200}?FastCGI sent in stderr: \"?)?(?:PHP message: )?"
    r"(?=PHP (?:Fatal|Parse|Recov|User|Warn|Notice|Depr)\w*)"
)
_PHP_LINE = re.compile(f"{_PHP_FRAME.pattern}|{_PHP_START.pattern}.* (?:on line |in \\S+:)\\d+$")


class _Block:
    """One exception while its lines are read."""

    def __init__(self, type_name: str, message: str, file: str) -> None:
        self.type_name, self.message, self.file = type_name, message, file
        self.frames: list[Frame] = []

    def add_call(self, name: str, caller_file: str) -> None:
        """Add the function that was called: it ran in the file of the call before."""
        self.frames.append(Frame(self.file, name))
        self.file = caller_file

    def build_exception(self) -> RaisedException:
        """Return the exception; without any call, it was raised in the file itself."""
        frames = self.frames or ([Frame(self.file, "")] if self.file else [])
        return make_exception(self.type_name, frames, self.message)


def _parse_php(lines: Sequence[str]) -> StackTrace:
    blocks: list[_Block] = []
    is_outer_first = False
    for line in lines:
        if match := _PHP_FRAME.match(line):
            blocks = blocks or [_Block("", "", "")]
            blocks[-1].add_call(match["main"] or match["name"], match["file"] or "[internal function]")
        elif (match := _LARAVEL_HEAD.search(line)) is not None:
            is_outer_first = is_outer_first or match["previous"] is not None
            blocks.append(_Block(short_type_name(match["kind"]), match["message"], match["file"]))
        elif (match := _match_head(line)) and (match["next"] or not blocks):
            name = short_type_name(match["kind"]) or match["level"] or ""
            blocks.append(_Block(name, match["message"], match["file"]))
    return _join_blocks(blocks, is_outer_first=is_outer_first)


def _match_head(line: str) -> re.Match[str] | None:
    start = _PHP_START.match(line)
    return None if _THROWN.match(line) else _PHP_HEAD.match(line[start.end() :] if start else line)


def _join_blocks(blocks: Iterable[_Block], *, is_outer_first: bool) -> StackTrace:
    raised = [block.build_exception() for block in blocks] or [RaisedException("")]
    last, *causes = raised if is_outer_first else reversed(raised)
    return StackTrace(last, tuple(causes[-1:]))


PHP = StackFormat(("PHP ", "#0 ", "#1 "), _PHP_LINE, _parse_php)

_PERL_FRAME = re.compile(
    r"^\s+(?P<name>[\w:]+|eval)(?:\(.*\)| \{\.\.\.\}) called at (?P<file>\S+) line \d+\.?$"
)
_PERL_HEAD = re.compile(r"^(?P<message>.*) at (?P<file>\S+) line \d+(?:, <[^>]*> (?:line|chunk) \d+)?\.$")


def _parse_perl(lines: Sequence[str]) -> StackTrace:
    block = _Block("die", "", "")
    for line in lines:
        if match := _PERL_FRAME.match(line):
            if match["name"] != "eval":
                block.add_call(match["name"], match["file"])
        elif (match := _PERL_HEAD.match(line)) and not block.message:
            block.message, block.file = match["message"], match["file"]
        elif block.frames:
            break
    if block.file:
        block.add_call("<main>", "")
    return StackTrace(block.build_exception())


PERL = StackFormat((" called at ",), _PERL_FRAME, _parse_perl)
