"""From what was seen to an event as the daemon takes it, on the worker's thread."""

from __future__ import annotations

import json
import linecache
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from firstcause.client.code_location import innermost_own, short
from firstcause.client.exception_info import Place, place
from firstcause.client.sanitize import cut

if TYPE_CHECKING:
    from firstcause.client.capture import Seen
    from firstcause.client.exception_info import Raised
    from firstcause.client.settings import Settings

_LONGEST_STACK = 65_536
_SHOWN_REPEATS = 3
_LINKS = {
    "cause": "The above exception was the direct cause of the following exception:",
    "context": "During handling of the above exception, another exception occurred:",
    "group": "The above exception is one of the group that follows:",
}


def line(seen: Seen, settings: Settings, host: str) -> bytes:
    """One line of NDJSON, ASCII, without its end."""
    return json.dumps(event(seen, settings, host), separators=(",", ":")).encode()


def event(seen: Seen, settings: Settings, host: str) -> dict[str, Any]:
    found = dict(seen.fields)
    found["time"] = datetime.fromtimestamp(seen.at, UTC).isoformat()
    for name in ("service", "tenant"):
        if found.get(name) is None and getattr(settings, name):
            found[name] = getattr(settings, name)
    found["details"] = {
        "server_name": host,
        **{name: value for name in ("release", "environment") if (value := getattr(settings, name))},
        **_chained(seen.raised),
        **seen.fields.get("details", {}),
    }
    if source := _source(seen, settings):
        found["source"] = source
    if seen.raised:
        found.setdefault("message", cut(seen.raised[0].said))
        found.setdefault("stack", stack(seen.raised))
    return found


def _chained(raised: tuple[Raised, ...]) -> dict[str, Any]:
    """The exception's name, and what it came of, the innermost first."""
    if not raised:
        return {}
    causes = [each.said for each in reversed(raised[1:])]
    return {"exception": raised[0].kind} | ({"caused_by": causes} if causes else {})


def _source(seen: Seen, settings: Settings) -> dict[str, Any] | None:
    places = (innermost_own(each, settings.in_app) for each in seen.raised[:1])
    found_at = next((each for each in places if each is not None), seen.where)
    query = next((each.query for each in seen.raised if each.query), None)
    if found_at is None:
        return {"query": query} if query else None
    found: dict[str, Any] = {
        "file": short(found_at.file),
        "line": found_at.line,
        "function": found_at.function,
    }
    return found | ({"query": query} if query else {})


def stack(raised: tuple[Raised, ...]) -> str:
    """As Python prints it: the innermost first, and between two of them how one led to the other."""
    parts = []
    for each in reversed(raised):
        parts.append(_frames(each) + each.said)
        if each.link:
            parts.append(_LINKS[each.link])
    text = "\n\n".join(parts)
    half = _LONGEST_STACK // 2
    return text if len(text) <= _LONGEST_STACK else f"{text[:half]}\n...\n{text[-half:]}"


def _frames(raised: Raised) -> str:
    if not raised.steps:
        return ""
    lines = ["Traceback (most recent call last):\n"]
    if raised.left_out:
        lines.append(f"  [{raised.left_out} frames left out]\n")
    for at, group in groupby(map(place, raised.steps)):
        count = sum(1 for _ in group)
        lines += [_frame(at)] * min(count, _SHOWN_REPEATS)
        if count > _SHOWN_REPEATS:
            lines.append(f"  [Previous line repeated {count - _SHOWN_REPEATS} more times]\n")
    return "".join(lines)


@lru_cache(maxsize=4096)
def _frame(at: Place) -> str:
    """In a storm the same frames come again and again."""
    text = linecache.getline(at.file, at.line) if at.line else ""
    summary = traceback.FrameSummary(at.file, at.line or 0, at.function, lookup_line=False, line=text)
    return "".join(traceback.StackSummary.from_list([summary]).format())
