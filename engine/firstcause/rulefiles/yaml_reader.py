"""Reads strict YAML with places: plain data, and the position of each key and value.

The YAML 1.2 core schema, so that `no`, `on` and `012` mean what they look like; PyYAML alone takes
them as false, true and 10, and takes a key that is given twice. Read from parser events, one at a
time, so that depth and size are bounded before anything is built.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from firstcause.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

YamlPath = tuple[str | int, ...]
"""Keys and list indexes from the top of the document."""
Position = tuple[int, int]
"""Line and column, both from 1."""

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 40
MAX_NODES = 200_000
MAX_BYTES = 4 << 20
MAX_INTEGER = 2**63
_TOO_DEEP_MESSAGE = f"nested more than {MAX_DEPTH} levels deep; flatten it"

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CUT_TEXT = re.compile(r" (#[^\s#!].*)")
_TAG_PREFIX = "tag:yaml.org,2002:"
_ACCEPTED_TAGS = {"!": str, _TAG_PREFIX + "str": str, _TAG_PREFIX + "map": dict, _TAG_PREFIX + "seq": list}


@dataclass
class Document:
    """The data of one file, with the position of each key and value; an alias's values have its position."""

    data: Any
    value_positions: dict[YamlPath, Position] = field(default_factory=dict)
    key_positions: dict[YamlPath, Position] = field(default_factory=dict)

    def get_position(self, path: YamlPath) -> Position:
        """Return the position of the value at the path, or of the nearest value around it."""
        while path not in self.value_positions:
            if not path:
                return (1, 1)
            path = path[:-1]
        return self.value_positions[path]

    def get_key_position(self, path: YamlPath) -> Position:
        """Return the position of the key of the value at the path; a list item is its own key."""
        return self.key_positions.get(path) or self.get_position(path)


class _UnreadableFileError(Exception):
    """The file cannot be read further."""

    def __init__(self, text: str, position: Position) -> None:
        super().__init__(text)
        self.text, self.position = text, position


def read_document(raw: bytes, path: str) -> tuple[Document | None, list[Mistake]]:
    """Read one file's bytes.

    The document is None where the file cannot be used. path: the file, for mistakes.
    """
    problems: list[tuple[str, Position]] = []
    document = None
    try:
        builder = _DocumentBuilder(_decode_bytes(raw), problems)
        document = builder.build()
    except _UnreadableFileError as error:
        problems.append((error.text, error.position))
    if document is not None and not isinstance(document.data, dict):
        problems.append(
            ("the top of a rule file is a mapping; begin with `component: NAME`", document.get_position(()))
        )
        document = None
    return document, [Mistake(path, *position, text) for text, position in problems]


def _decode_bytes(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise _UnreadableFileError(f"larger than {MAX_BYTES >> 20} MiB; split it into several files", (0, 0))
    raw = raw.removeprefix(BOM_UTF8)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        raise _UnreadableFileError(
            "not UTF-8 text; save the file as UTF-8", _position_after(before)
        ) from None
    if not text.strip():
        raise _UnreadableFileError("the file is empty; begin with `component: NAME`, or remove it", (0, 0))
    return text


def _position_after(before: str) -> Position:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _position_of_mark(mark: Any) -> Position:
    return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)


@dataclass
class _OpenNode:
    """A mapping or list that is being read. key: the key whose value comes next."""

    node: dict[str, Any] | list[Any]
    path: YamlPath
    anchor: str | None
    nodes_before: int
    key: str | None = None


class _DocumentBuilder:
    def __init__(self, text: str, mistakes: list[tuple[str, Position]]) -> None:
        self.text = text
        self.lines = text.split("\n")
        self.mistakes = mistakes
        self.document = Document(None)
        self.stack: list[_OpenNode] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.nodes = 0
        self.documents = 0
        self.has_content = False

    def build(self) -> Document:
        # By a table, because a large set of rules has half a million events.
        handlers: dict[type, Callable[[Any, Position], None]] = {
            yaml.ScalarEvent: self._add_scalar,
            yaml.MappingStartEvent: self._open_node,
            yaml.SequenceStartEvent: self._open_node,
            yaml.MappingEndEvent: self._close_node,
            yaml.SequenceEndEvent: self._close_node,
            yaml.AliasEvent: self._add_alias,
            yaml.DocumentStartEvent: self._begin_document,
        }
        for event in self._parse_events():
            handler = handlers.get(type(event))
            if handler is not None:
                mark = event.start_mark
                handler(event, (mark.line + 1, mark.column + 1))
        if not self.has_content:
            raise _UnreadableFileError(
                "nothing but comments; begin with `component: NAME`, or remove the file", (0, 0)
            )
        return self.document

    def _parse_events(self) -> Iterator[Any]:
        try:
            yield from yaml.parse(self.text, Loader=LOADER)
        except yaml.MarkedYAMLError as error:
            raise _UnreadableFileError(*self._explain_error(error)) from None
        except yaml.reader.ReaderError as error:
            bad = next((index for index, char in enumerate(self.text) if _is_unprintable(char)), 0)
            text = f"a character that YAML does not allow ({error.reason}); remove it"
            raise _UnreadableFileError(text, _position_after(self.text[:bad])) from None
        except (yaml.YAMLError, ValueError) as error:
            raise _UnreadableFileError(f"not YAML: {error}", (0, 0)) from None

    def _explain_error(self, error: yaml.MarkedYAMLError) -> tuple[str, Position]:
        position = _position_of_mark(error.problem_mark or error.context_mark)
        line = [*self.text.split("\n"), ""][max(position[0] - 1, 0)]
        if "\t" in line[: len(line) - len(line.lstrip())]:
            return "a tab in the indentation; use spaces", position
        problem = (error.problem or "it does not parse").strip()
        if "nesting depth" in problem:
            # libyaml from 0.2.6 on has a limit of its own, which it meets before we see any of it.
            return _TOO_DEEP_MESSAGE, position
        context = f" {error.context}" if error.context else ""
        if error.context_mark is not None and error.context_mark.line + 1 < position[0]:
            context += f", begun in line {error.context_mark.line + 1}"
        return f"not YAML: {problem}{context}{_suggest_fix(problem)}", position

    def _begin_document(self, _event: Any, position: Position) -> None:
        self.documents += 1
        if self.documents > 1:
            raise _UnreadableFileError("a second document; one file is one component, remove `---`", position)

    def _close_node(self, _event: Any, _position: Position) -> None:
        closed = self.stack.pop()
        if closed.anchor:
            self.anchors[closed.anchor] = (closed.node, self.nodes - closed.nodes_before)

    def _open_node(self, event: Any, position: Position) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise _UnreadableFileError(_TOO_DEEP_MESSAGE, position)
        if self._expects_key():
            raise _UnreadableFileError("a key is a plain text, not a mapping or list", position)
        node: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        if event.tag is not None and _ACCEPTED_TAGS.get(event.tag) is not type(node):
            raise _UnreadableFileError(f"the tag {event.tag} means nothing here; remove it", position)
        nodes_before = self.nodes
        path = self._add_value(node, position)
        self.stack.append(_OpenNode(node, path, event.anchor, nodes_before))

    def _add_scalar(self, event: Any, position: Position) -> None:
        if self._expects_key():
            self._add_key(event.value, position)
            return
        value = self._resolve_value(event, position)
        if not event.style and isinstance(value, str):
            self._check_cut(event.end_mark)
        self._add_value(value, position)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)

    def _check_cut(self, end: Any) -> None:
        """A text without quotes ends at ` #`; what was meant as a comment has a space after the sign."""
        line = self.lines[end.line] if end.line < len(self.lines) else ""
        if cut := _CUT_TEXT.match(line, end.column):
            text = (
                f"the text ends at ` #`, so {cut[1]!r} is not part of it; put the text in quotes, "
                "or write `# ` before a comment"
            )
            self.mistakes.append((text, (end.line + 1, end.column + 1)))

    def _resolve_value(self, event: Any, position: Position) -> Any:
        if event.tag in (None, "!") or _ACCEPTED_TAGS.get(event.tag) is str:
            if event.tag is not None or not event.implicit[0]:
                return event.value
            try:
                return resolve_scalar(event.value)
            except ValueError as error:
                self.mistakes.append((str(error), position))
                return 0
        raise _UnreadableFileError(f"the tag {event.tag} means nothing here; remove it", position)

    def _add_alias(self, event: Any, position: Position) -> None:
        name = str(event.anchor)
        if self._expects_key():
            raise _UnreadableFileError("a key is a plain text, not an alias", position)
        if any(open_node.anchor == name for open_node in self.stack):
            raise _UnreadableFileError(f"*{name} contains itself; write it out", position)
        if name not in self.anchors:
            raise _UnreadableFileError(f"*{name} has no &{name} before it", position)
        node, size = self.anchors[name]
        self._add_value(node, position, size)

    def _expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].node, dict) and self.stack[-1].key is None

    def _add_key(self, key: str, position: Position) -> None:
        parent = self.stack[-1]
        path = (*parent.path, key)
        if key in parent.node:
            line = self.document.key_positions[path][0]
            self.mistakes.append(
                (f"the key '{key}' is given twice, first in line {line}; keep one", position)
            )
        self.document.key_positions.setdefault(path, position)
        parent.key = key

    def _add_value(self, value: Any, position: Position, size: int = 1) -> YamlPath:
        self.nodes += size
        if self.nodes > MAX_NODES:
            raise _UnreadableFileError(
                f"more than {MAX_NODES} values, aliases counted; split the file", position
            )
        path: YamlPath = ()
        if not self.stack:
            self.document.data, self.has_content = value, True
        else:
            path = self._attach_value(self.stack[-1], value)
        self.document.value_positions[path] = position
        return path

    def _attach_value(self, parent: _OpenNode, value: Any) -> YamlPath:
        if isinstance(parent.node, list):
            parent.node.append(value)
            return (*parent.path, len(parent.node) - 1)
        key, parent.key = parent.key or "", None
        parent.node[key] = value
        return (*parent.path, key)


def resolve_scalar(text: str) -> str | int | float | bool | None:
    """Resolve a plain scalar by the YAML 1.2 core schema. ValueError: a number out of range."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INTEGER.fullmatch(text):
        return _parse_integer(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} cannot be compared with anything; give a finite number")
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise ValueError("a number too large; put it in quotes if it is meant as text")
        return value
    return text


def _parse_integer(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    digits = text[2:] if base != 10 else text  # noqa: PLR2004
    value = int(digits, base) if len(digits) < 64 else MAX_INTEGER  # noqa: PLR2004
    if not -MAX_INTEGER <= value < MAX_INTEGER:
        raise ValueError("a number of more than 64 bits; put it in quotes if it is meant as text")
    return value


_FIX_HINTS = (
    ("mapping values are not allowed", "put a text that contains `: ` in quotes"),
    ("could not find expected ':'", "a key is followed by `: `"),
    ("found unexpected end of stream", "a quote, bracket or brace is not closed"),
    ("found character that cannot start", "put a text that begins with % @ ` or a tab in quotes"),
    ("found unknown escape", "in double quotes write \\\\ for \\, or use single quotes"),
    ("did not find expected key", "check the indentation and the quotes of this line and the one before"),
    ("did not find expected '-'", "check the indentation of the list"),
    (
        "did not find expected ','",
        "a list in brackets has commas between its items and ends with its bracket",
    ),
    ("did not find expected ',' or '}'", "a mapping in braces has commas between its keys and ends with }"),
    ("undefined alias", "define it with & before"),
)


def _suggest_fix(problem: str) -> str:
    return next((f"; {hint}" for sign, hint in _FIX_HINTS if sign in problem), "; check the lines around it")


def _is_unprintable(char: str) -> bool:
    return not (char in "\t\n\r\x85" or " " <= char <= "~" or (char >= "\xa0" and char not in "\ufffe\uffff"))
