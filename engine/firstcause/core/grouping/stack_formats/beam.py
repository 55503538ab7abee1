"""Stacks of Elixir and Erlang."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.core.grouping.raised_exception import StackTrace, short_type_name
from firstcause.core.grouping.stack_formats.lines import StackFormat, make_exception
from firstcause.core.grouping.stack_frame import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

_ELIXIR_FRAME = re.compile(
    r"^\s*(?:\((?P<app>\w+)(?: [\w.+-]+)?\) )?(?P<file>[\w./-]+\.(?:exs?|erl|[hl]?eex)):\d+: (?P<name>\S.*)$"
)
_ELIXIR_HEAD = re.compile(r"\*\* \((?P<kind>[\w.]+)\) (?P<message>.*)$")
# Applications of the language and of its usual frameworks.
_LIBRARY_APPS = frozenset((
    "elixir", "stdlib", "kernel", "ex_unit", "mix", "iex", "logger", "eex", "phoenix", "phoenix_live_view",
    "phoenix_html", "phoenix_pubsub", "plug", "plug_cowboy", "cowboy", "bandit", "thousand_island", "ecto",
    "ecto_sql", "postgrex", "myxql", "db_connection", "oban", "absinthe", "finch", "mint", "tesla", "hackney",
    "jason", "broadway", "gen_stage", "telemetry", "bamboo", "swoosh", "nimble_pool", "ranch",
))  # fmt: skip


def _parse_elixir(lines: Sequence[str]) -> StackTrace:
    kind, message, frames = "", "", list[Frame]()
    for line in lines:
        if match := _ELIXIR_FRAME.match(line):
            folder = f"deps/{match['app']}/" if match["app"] in _LIBRARY_APPS else ""
            frames.append(Frame(folder + match["file"], match["name"]))
        elif (match := _ELIXIR_HEAD.search(line)) and not kind:
            kind, message = match["kind"], match["message"]
    return StackTrace(make_exception(short_type_name(kind), frames, message))


ELIXIR = StackFormat((".ex", ".erl:"), _ELIXIR_FRAME, _parse_elixir)

_ERLANG_TERM = re.compile(
    r"\{'?(?P<module>[\w.@]+)'?,\s*(?P<name>'[^']{1,100}'|[\w@]+),\s*(?:\d+|\[[^\[\]]*\]),\s*"
    r"\[\{file,\s*\"(?P<file>[^\"]*)\"\},\s*\{line,\s*\d+\}\]\}"
)
_ERLANG_LINE = re.compile(
    r"^\s+in (?:function|call from) +(?P<name>\S+)(?: \((?P<file>[^,()]+), line \d+\))?"
)
_ERLANG_FRAME = re.compile(rf"{_ERLANG_LINE.pattern}|.*?\[\{{file,\s*\"")
_ERLANG_HEAD = re.compile(r"exception (?P<kind>error|exit|throw): (?P<message>.+)$")
_ERLANG_REASON = re.compile(r"^\{?(?P<kind>[a-z]\w*)(?:,(?P<words>.*?))?\}?$")
_ERLANG_CLOSURE = re.compile(r"^'?-(?P<name>[\w@]+)/\d+-.*$")


def _parse_erlang(lines: Sequence[str]) -> StackTrace:
    kind, message, frames = "", "", list[Frame]()
    for line in lines:
        if match := _ERLANG_LINE.match(line):
            if match["file"]:
                frames.append(Frame(match["file"], match["name"].rpartition("/")[0] or match["name"]))
        elif (match := _ERLANG_HEAD.search(line)) and not kind:
            kind, message = match["kind"], match["message"]
    text = "\n".join(lines)
    terms = list(_ERLANG_TERM.finditer(text))
    for term in terms:
        name = _ERLANG_CLOSURE.sub(r"\g<name>", term["name"]).strip("'")
        frames.append(Frame(term["file"], f"{term['module']}:{name}"))
    if terms and not kind:
        kind, message = _read_reason(text[: terms[0].start()])
    return StackTrace(make_exception(kind, frames, message))


def _read_reason(before: str) -> tuple[str, str]:
    """Read the reason before the frames: `{{badmatch,{error,enoent}},[` -> badmatch, "{error,enoent}"."""
    text = before.rstrip(" \n[,").replace("\n", " ")
    depth, start = 0, len(text)
    while start and (depth or text[start - 1] not in "{[, "):
        start -= 1
        depth += (text[start] in "}]") - (text[start] in "{[")
    reason = text[start:]
    match = _ERLANG_REASON.match(reason)
    return (match["kind"], match["words"] or "") if match else ("", reason)


ERLANG = StackFormat(("{file,", "in function ", "in call from "), _ERLANG_FRAME, _parse_erlang)
