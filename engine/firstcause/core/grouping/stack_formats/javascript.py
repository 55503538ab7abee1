"""Stacks of JavaScript, in Node and in browsers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from firstcause.core.grouping.raised_exception import TYPE_NAME
from firstcause.core.grouping.stack_formats.lines import StackFormat, parse_headed
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause.core.grouping.raised_exception import StackTrace

_FRAME = re.compile(
    r"^\s*at (?:(?P<name>[^()]+?) \()?(?P<file>(?:[\w+.-]+:)?[^()]*?"
    r"(?:\([\w .-]*\)/[^()]*?)?):\d+:\d+\)?,?(?: \{)?$"
    r"|^\s*at (?P<eval>(?:(?P<outer>[^()]+?) )?\(?eval at [^()]*\((?P<outer_file>[^()]*?):\d+:\d+\)).*$"
    r"|^\s*(?:async\*)?(?P<name2>(?:global|module|eval) code|[^@\s]*)@(?P<file2>\S+?)"
    r"(?: line \d+ > \S+)*:\d+(?::\d+)?$"
)
_HEAD = re.compile(
    rf"^\s*(?:Uncaught )?(?:\(in promise\) )?(?P<cause>\[cause\]: |Caused by: )?{TYPE_NAME}"
    r"(?: \[[^\]]*\])?(?::\s|\s*$)"
)
# Node explains a rejection without an Error in three sentences.
_REJECTED = re.compile(r"^This error originated .* rejected with the reason \"(?P<reason>.*)\"\.")
_ALIAS = re.compile(r" \[as [^\]]*\]")
# Firefox writes `save/<` for a function without a name inside of `save`.
_INNER = re.compile(r"(?:/(?:<|this\.)?)+$|/<(?=/)|(?<=/)this\.")


def _parse_javascript(lines: Sequence[str]) -> StackTrace:
    trace = parse_headed(lines, _FRAME, _HEAD, _make_frame)
    if reason := _REJECTED.search(trace.last.message):
        return replace(trace, last=replace(trace.last, message=reason["reason"]))
    return trace


def _make_frame(match: re.Match[str]) -> Frame:
    if match["eval"]:
        return Frame(match["outer_file"].strip(), match["outer"] or "<anonymous>")
    name = match["name"] or match["name2"] or "<anonymous>"
    name = _INNER.sub("", _ALIAS.sub("", name)) or "<anonymous>"
    file = (match["file"] or match["file2"] or "").strip()
    return Frame(file.removeprefix("async "), name)


JAVASCRIPT = StackFormat(("at ", "@"), _FRAME, _parse_javascript)
