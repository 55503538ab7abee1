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
    r"^\s*at (?:(?P<name>[^()]+?) \()?(?P<file>(?:[\w+.-]+:)?[^()]*?):\d+:\d+\)?,?(?: \{)?$"
    r"|^\s*(?:async\*)?(?P<name2>(?:global|module|eval) code|[^@\s]*)@(?P<file2>\S+?)"
    r"(?: line \d+ > \S+)*:\d+(?::\d+)?$"
    # In brackets within: `webpack-internal:///(rsc)/./src/cart.ts`, and where `eval` was called
    r"|^\s*at (?P<name3>[^()]+?) \((?P<file3>[\w+.-]+:///\([\w .-]*\)/[^()]*?):\d+:\d+\)$"
    r"|^\s*at (?:(?P<name4>[^()]+?) )?\(?eval at [^()]*\((?P<file4>[^()]*?):\d+:\d+\).*$"
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
    name = match["name"] or match["name2"] or match["name3"] or match["name4"] or "<anonymous>"
    file = match["file"] or match["file2"] or match["file3"] or match["file4"] or ""
    if "[as " in name:
        name = _ALIAS.sub("", name)
    if "/" in name:
        name = _INNER.sub("", name) or "<anonymous>"
    return Frame(file.strip().removeprefix("async "), name)


JAVASCRIPT = StackFormat(("at ", "@"), _FRAME, _parse_javascript)
