"""The exceptions and stacks of Sentry's events, written as Python writes them, whatever the language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from firstcause import Source
from firstcause_sentry.fields import as_dict, select_objects, to_integer, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_EXCEPTIONS = 50
_MAX_FRAMES = 60
_FILE_FIELDS = ("filename", "abs_path", "module")
_LIBRARY_FILE_FIELDS = ("abs_path", "filename", "module")
"""The whole path of a file shows whether it is a library's."""

_MEMBER_SOURCE = re.compile(r"\w+\[\d+\]")
"""How SDKs name a member of an exception group: `exceptions[0]`, `errors[1]`, `InnerExceptions[2]`."""


def list_exceptions(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the innermost cause first, and the exception that was caught last."""
    value = payload.get("exception")
    is_single = isinstance(value, dict) and "values" not in value and ("type" in value or "value" in value)
    listed = [value] if isinstance(value, dict) and is_single else select_objects(value)
    return listed[-_MAX_EXCEPTIONS:]


def format_exception(exception: Mapping[str, Any]) -> str | None:
    parts = (to_text(exception.get("type")), to_text(str(exception.get("value") or "")))
    return ": ".join(filter(None, parts)) or None


def build_source(payload: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]]) -> Source | None:
    """Find the innermost frame of the application's own code, of the exception that was caught."""
    frames = _list_frames(exceptions[-1]) if exceptions else []
    frames = frames or _list_event_frames(payload, exceptions)
    app_frames = [frame for frame in frames if frame.get("in_app")]
    for frame in reversed(app_frames or frames):
        file = (
            to_text(frame.get("filename")) or to_text(frame.get("abs_path")) or to_text(frame.get("module"))
        )
        if file is not None:
            line, function = to_integer(frame.get("lineno")), to_text(frame.get("function"))
            return Source(file=file, line=line, function=function)
    return None


def format_stack(payload: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]]) -> str | None:
    if not any(_list_frames(exception) for exception in exceptions):
        frames = _list_event_frames(payload, exceptions)
        if frames and not exceptions:
            return "\n".join(_format_frames(frames))
        if frames:
            # The caught exception brings no frames: those of its thread are its own.
            exceptions = [*exceptions[:-1], {**exceptions[-1], "stacktrace": {"frames": frames}}]
    return _format_chain(exceptions) or None


def _list_frames(holder: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The innermost last."""
    for name in ("stacktrace", "raw_stacktrace"):
        if frames := select_objects(as_dict(holder.get(name)).get("frames")):
            return frames
    return []


def _list_event_frames(
    payload: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The frames of the event itself, else those of the thread that it is about."""
    if frames := _list_frames(payload):
        return frames
    threads = [thread for thread in select_objects(payload.get("threads")) if _list_frames(thread)]
    thread_ids = [
        exception["thread_id"] for exception in exceptions if exception.get("thread_id") is not None
    ]
    for is_meant in (
        lambda thread: thread.get("id") in thread_ids,
        lambda thread: thread.get("crashed") is True,
        lambda thread: thread.get("current") is True,
        lambda _: len(threads) == 1,
    ):
        if thread := next(filter(is_meant, threads), None):
            return _list_frames(thread)
    return []


def _format_chain(exceptions: Sequence[Mapping[str, Any]]) -> str:
    """Write the cause first. The members of a group stand below it."""
    groups = [index for index, exception in enumerate(exceptions) if _is_group(exception)]
    member_indices = _find_group_members(exceptions) if groups else set()
    members = [exceptions[index] for index in sorted(member_indices)]
    sections = []
    for index, exception in enumerate(exceptions):
        if index in member_indices:
            continue
        lines = _format_section(exception)
        if members and index == groups[-1]:
            lines = _format_group(lines, members)
        if lines:
            sections.append("\n".join(lines))
    return "\n\nthen:\n\n".join(sections)


def _is_group(exception: Mapping[str, Any]) -> bool:
    return as_dict(exception.get("mechanism")).get("is_exception_group") is True


def _find_group_members(exceptions: Sequence[Mapping[str, Any]]) -> set[int]:
    """Find the exceptions that were raised within a group, directly or as the cause of a member.

    Below the last group, which is the outermost, the members of all groups count as its own.
    """
    mechanisms = [as_dict(exception.get("mechanism")) for exception in exceptions]
    ids = [to_integer(mechanism.get("exception_id")) for mechanism in mechanisms]
    group_ids = {id_ for id_, exception in zip(ids, exceptions, strict=True) if _is_group(exception)}
    members: set[int] = set()
    member_ids: set[int | None] = set()
    # A parent stands after what it holds, or caused it.
    for index in reversed(range(len(exceptions))):
        parent = to_integer(mechanisms[index].get("parent_id"))
        is_named = _MEMBER_SOURCE.fullmatch(str(mechanisms[index].get("source") or ""))
        is_own_parent = parent is None or parent == ids[index]
        if not is_own_parent and (parent in member_ids or (parent in group_ids and is_named)):
            members.add(index)
            member_ids.add(ids[index])
    return members - {max(index for index, exception in enumerate(exceptions) if _is_group(exception))}


def _format_section(exception: Mapping[str, Any]) -> list[str]:
    lines = _format_frames(_list_frames(exception))
    summary = format_exception(exception)
    return [*lines, summary or "an exception"] if lines or summary else []


def _format_frames(frames: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for frame in frames[-_MAX_FRAMES:]:
        read_field = frame.get
        file = None
        for name in _LIBRARY_FILE_FIELDS if read_field("in_app") is False else _FILE_FIELDS:
            if (value := read_field(name)) and (file := to_text(value)):
                break
        lines.append(
            f'  File "{file or "?"}", line {read_field("lineno") or "?"}, in {read_field("function") or "?"}'
        )
        if (value := read_field("context_line")) and (context := to_text(value)):
            lines.append(f"    {context}")
    return lines


def _format_group(lines: Sequence[str], members: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write a group as Python does; the order in which its tasks failed is then no difference."""
    block = ["  + Exception Group Traceback (most recent call last):"]
    block += [f"  | {line}" for text in lines for line in text.split("\n")]
    for number, member in enumerate(members, 1):
        block.append(f"  {'+-' if number == 1 else '  '}+---------------- {number} ----------------")
        block += [f"    | {line}" for text in _format_section(member) for line in text.split("\n")]
    return [*block, "    +------------------------------------"]
