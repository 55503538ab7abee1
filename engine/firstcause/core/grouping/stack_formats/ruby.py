"""Stacks of Ruby, before and since 3.4."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.core.grouping.raised_exception import (
    RaisedException,
    StackTrace,
    parse_exception_type,
    short_type_name,
    split_exception,
)
from firstcause.core.grouping.stack_formats.lines import StackFormat, make_exception
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

# The message comes after the first frame, its type in brackets at the end.
_FRAME = re.compile(
    r"^\s*(?:from |\d+: from )?(?P<file>(?:[A-Za-z]:)?[^\s:]+|<internal:[^>]*>):\d+:"
    r"in [`'](?P<name>[^']*)'(?P<rest>.*)"
)
_KIND = re.compile(r"\((?P<kind>[A-Z][\w:]*)\)\s*:?\s*$")
_RAILS_HEAD = re.compile(r"^(?!Traceback )(?P<kind>[A-Z][\w:]*) \((?P<message>.*)\):$")
# Ruby 3.4 writes the class as well: 'Orders::Order#save' is `save' of before.
_CLASS = re.compile(r"(?:^|(?<= in ))(?:[A-Z]\w*(?:::)?)+[#.](?=\S)")


def _parse_ruby(lines: Sequence[str]) -> StackTrace:
    raised: list[RaisedException] = []
    for line in lines:
        match = _FRAME.match(line)
        words = (match["rest"] if match else line).strip().removeprefix(":")
        kind = _KIND.search(words)
        if match is None:
            if kind and not raised:
                raised.append(_make_exception(kind, words))
            elif kind and not raised[-1].type_name and not raised[1:]:
                raised[-1] = make_exception(
                    short_type_name(kind["kind"]), raised[-1].frames, raised[-1].message
                )
            elif not raised and (rails := _RAILS_HEAD.match(line)):
                raised.append(make_exception(short_type_name(rails["kind"]), (), rails["message"]))
            elif not raised and parse_exception_type(line):
                raised.append(make_exception(split_exception(line)[0], (), split_exception(line)[1]))
            continue
        if kind or not raised or (words and not raised[-1].frames and not raised[-1].type_name):
            raised.append(_make_exception(kind, words))
        last = raised[-1]
        frames = (*last.frames, Frame(match["file"], _CLASS.sub("", match["name"])))
        raised[-1] = make_exception(last.type_name, frames, last.message)
    return StackTrace(raised[0], tuple(raised[1:][-1:]))


def _make_exception(kind: re.Match[str] | None, words: str) -> RaisedException:
    if kind is None:
        return make_exception("", (), words)
    return make_exception(short_type_name(kind["kind"]), (), words[: kind.start()])


RUBY = StackFormat((":in ",), _FRAME, _parse_ruby)
