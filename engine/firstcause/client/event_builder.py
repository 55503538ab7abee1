"""From what was seen to an event as the daemon takes it, on the worker's thread."""

from __future__ import annotations

import json
import linecache
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from firstcause.client.code_location import find_innermost_in_app, shorten_path
from firstcause.client.exception_info import CodeLocation, to_location
from firstcause.client.sanitize import truncate

if TYPE_CHECKING:
    from firstcause.client.capture import CapturedError
    from firstcause.client.exception_info import CapturedException
    from firstcause.client.settings import Settings

_MAX_STACK_LENGTH = 65_536
_MAX_REPEATS = 3
_LINK_TEXTS = {
    "cause": "The above exception was the direct cause of the following exception:",
    "context": "During handling of the above exception, another exception occurred:",
    "group": "The above exception is one of the group that follows:",
}


def render_line(captured: CapturedError, settings: Settings, host: str) -> bytes:
    """One line of NDJSON, ASCII, without its end."""
    return json.dumps(build_event(captured, settings, host), separators=(",", ":")).encode()


def build_event(captured: CapturedError, settings: Settings, host: str) -> dict[str, Any]:
    fields = dict(captured.fields)
    fields["time"] = datetime.fromtimestamp(captured.timestamp, UTC).isoformat()
    for name in ("service", "tenant"):
        if fields.get(name) is None and getattr(settings, name):
            fields[name] = getattr(settings, name)
    fields["details"] = {
        "server_name": host,
        **{name: value for name in ("release", "environment") if (value := getattr(settings, name))},
        **_describe_chain(captured.exceptions),
        **captured.fields.get("details", {}),
    }
    if source := _build_source(captured, settings):
        fields["source"] = source
    if captured.exceptions:
        fields.setdefault("message", truncate(captured.exceptions[0].description))
        fields.setdefault("stack", format_stack(captured.exceptions))
    return fields


def _describe_chain(exceptions: tuple[CapturedException, ...]) -> dict[str, Any]:
    """The exception's name, and what it came of, the innermost first."""
    if not exceptions:
        return {}
    causes = [exception.description for exception in reversed(exceptions[1:])]
    return {"exception": exceptions[0].type_name} | ({"caused_by": causes} if causes else {})


def _build_source(captured: CapturedError, settings: Settings) -> dict[str, Any] | None:
    locations = (find_innermost_in_app(exception, settings.in_app) for exception in captured.exceptions[:1])
    location = next((candidate for candidate in locations if candidate is not None), captured.location)
    query = next((exception.query for exception in captured.exceptions if exception.query), None)
    if location is None:
        return {"query": query} if query else None
    source: dict[str, Any] = {
        "file": shorten_path(location.file),
        "line": location.line,
        "function": location.function,
    }
    return source | ({"query": query} if query else {})


def format_stack(exceptions: tuple[CapturedException, ...]) -> str:
    """As Python prints it: the innermost first, and between two of them how one led to the other."""
    parts = []
    for exception in reversed(exceptions):
        parts.append(_format_frames(exception) + exception.description)
        if exception.link:
            parts.append(_LINK_TEXTS[exception.link])
    text = "\n\n".join(parts)
    half = _MAX_STACK_LENGTH // 2
    return text if len(text) <= _MAX_STACK_LENGTH else f"{text[:half]}\n...\n{text[-half:]}"


def _format_frames(exception: CapturedException) -> str:
    if not exception.frames:
        return ""
    lines = ["Traceback (most recent call last):\n"]
    if exception.omitted_frames:
        lines.append(f"  [{exception.omitted_frames} frames left out]\n")
    for location, group in groupby(map(to_location, exception.frames)):
        count = sum(1 for _ in group)
        lines += [_format_frame(location)] * min(count, _MAX_REPEATS)
        if count > _MAX_REPEATS:
            lines.append(f"  [Previous line repeated {count - _MAX_REPEATS} more times]\n")
    return "".join(lines)


@lru_cache(maxsize=4096)
def _format_frame(location: CodeLocation) -> str:
    """In a storm the same frames come again and again."""
    text = linecache.getline(location.file, location.line) if location.line else ""
    summary = traceback.FrameSummary(
        location.file, location.line or 0, location.function, lookup_line=False, line=text
    )
    return "".join(traceback.StackSummary.from_list([summary]).format())
