"""Strict YAML with places: plain data, and where each key and value of it is written.

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

Path = tuple[str | int, ...]
"""Keys and list indexes from the top of the document."""
Place = tuple[int, int]
"""Line and column, both from 1."""

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 40
MAX_NODES = 200_000
MAX_BYTES = 4 << 20
MAX_INTEGER = 2**63
_TOO_DEEP = f"nested more than {MAX_DEPTH} deep; no rule needs that"

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TAG = "tag:yaml.org,2002:"
_KEPT_TAGS = {"!": str, _TAG + "str": str, _TAG + "map": dict, _TAG + "seq": list}


@dataclass
class Document:
    """One file's data. Values and keys have their places; what an alias repeats has the alias's."""

    data: Any
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """Where the value at the path is written, or the nearest thing around it."""
        while path not in self.values:
            if not path:
                return (1, 1)
            path = path[:-1]
        return self.values[path]

    def key(self, path: Path) -> Place:
        """Where the key of the value at the path is written; a list item is its own key."""
        return self.keys.get(path) or self.place(path)


class _RefusedError(Exception):
    """The file cannot be read further."""

    def __init__(self, text: str, place: Place) -> None:
        super().__init__(text)
        self.text, self.place = text, place


def read(raw: bytes, path: str) -> tuple[Document | None, list[Mistake]]:
    """Reads one file's bytes. No document where the file cannot be used; path is for the mistakes."""
    found: list[tuple[str, Place]] = []
    document = None
    try:
        builder = _Builder(_decode(raw), found)
        document = builder.build()
    except _RefusedError as refused:
        found.append((refused.text, refused.place))
    if document is not None and not isinstance(document.data, dict):
        found.append(
            ("the top of a rule file is a mapping; begin with `component: NAME`", document.place(()))
        )
        document = None
    return document, [Mistake(path, *place, text) for text, place in found]


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise _RefusedError(f"larger than {MAX_BYTES >> 20} MiB; split it into several files", (0, 0))
    raw = raw.removeprefix(BOM_UTF8)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        raise _RefusedError("not UTF-8 text; save the file as UTF-8", _place_after(before)) from None
    if not text.strip():
        raise _RefusedError("the file is empty; begin with `component: NAME`, or remove it", (0, 0))
    return text


def _place_after(before: str) -> Place:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _place(mark: Any) -> Place:
    return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)


@dataclass
class _Open:
    """A mapping or list that is being read; key is the one whose value comes next."""

    node: dict[str, Any] | list[Any]
    path: Path
    anchor: str | None
    before: int
    key: str | None = None


class _Builder:
    def __init__(self, text: str, mistakes: list[tuple[str, Place]]) -> None:
        self.text = text
        self.mistakes = mistakes
        self.document = Document(None)
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.nodes = 0
        self.documents = 0
        self.filled = False

    def build(self) -> Document:
        # By a table, because a large set of rules has half a million events.
        takes: dict[type, Callable[[Any, Place], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._begin,
        }
        for event in self._events():
            take = takes.get(type(event))
            if take is not None:
                mark = event.start_mark
                take(event, (mark.line + 1, mark.column + 1))
        if not self.filled:
            raise _RefusedError(
                "nothing but comments; begin with `component: NAME`, or remove the file", (0, 0)
            )
        return self.document

    def _events(self) -> Iterator[Any]:
        try:
            yield from yaml.parse(self.text, Loader=LOADER)
        except yaml.MarkedYAMLError as error:
            raise _RefusedError(*self._explain(error)) from None
        except yaml.reader.ReaderError as error:
            bad = next((at for at, char in enumerate(self.text) if _unprintable(char)), 0)
            text = f"a character that YAML does not allow ({error.reason}); remove it"
            raise _RefusedError(text, _place_after(self.text[:bad])) from None
        except (yaml.YAMLError, ValueError) as error:
            raise _RefusedError(f"not YAML: {error}", (0, 0)) from None

    def _explain(self, error: yaml.MarkedYAMLError) -> tuple[str, Place]:
        place = _place(error.problem_mark or error.context_mark)
        line = [*self.text.split("\n"), ""][max(place[0] - 1, 0)]
        if "\t" in line[: len(line) - len(line.lstrip())]:
            return "a tab in the indentation; use spaces", place
        problem = (error.problem or "it does not parse").strip()
        if "nesting depth" in problem:
            # libyaml from 0.2.6 on has a limit of its own, which it meets before we see any of it.
            return _TOO_DEEP, place
        context = f" {error.context}" if error.context else ""
        if error.context_mark is not None and error.context_mark.line + 1 < place[0]:
            context += f", begun in line {error.context_mark.line + 1}"
        return f"not YAML: {problem}{context}{_mend(problem)}", place

    def _begin(self, _event: Any, place: Place) -> None:
        self.documents += 1
        if self.documents > 1:
            raise _RefusedError("a second document; one file is one component, remove `---`", place)

    def _close(self, _event: Any, _place: Place) -> None:
        done = self.stack.pop()
        if done.anchor:
            self.anchors[done.anchor] = (done.node, self.nodes - done.before)

    def _open(self, event: Any, place: Place) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise _RefusedError(_TOO_DEEP, place)
        if self._expects_key():
            raise _RefusedError("a key is a plain text, not a mapping or list", place)
        node: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        if event.tag is not None and _KEPT_TAGS.get(event.tag) is not type(node):
            raise _RefusedError(f"the tag {event.tag} means nothing here; remove it", place)
        before = self.nodes
        path = self._add(node, place)
        self.stack.append(_Open(node, path, event.anchor, before))

    def _scalar(self, event: Any, place: Place) -> None:
        if self._expects_key():
            self._key(event.value, place)
            return
        value = self._value(event, place)
        self._add(value, place)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)

    def _value(self, event: Any, place: Place) -> Any:
        if event.tag in (None, "!") or _KEPT_TAGS.get(event.tag) is str:
            if event.tag is not None or not event.implicit[0]:
                return event.value
            try:
                return resolve(event.value)
            except ValueError as error:
                self.mistakes.append((str(error), place))
                return 0
        raise _RefusedError(f"the tag {event.tag} means nothing here; remove it", place)

    def _alias(self, event: Any, place: Place) -> None:
        name = str(event.anchor)
        if self._expects_key():
            raise _RefusedError("a key is a plain text, not an alias", place)
        if any(one.anchor == name for one in self.stack):
            raise _RefusedError(f"*{name} contains itself; write it out", place)
        if name not in self.anchors:
            raise _RefusedError(f"*{name} has no &{name} before it", place)
        node, size = self.anchors[name]
        self._add(node, place, size)

    def _expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].node, dict) and self.stack[-1].key is None

    def _key(self, key: str, place: Place) -> None:
        parent = self.stack[-1]
        path = (*parent.path, key)
        if key in parent.node:
            line = self.document.keys[path][0]
            self.mistakes.append((f"the key '{key}' is given twice, first in line {line}; keep one", place))
        self.document.keys.setdefault(path, place)
        parent.key = key

    def _add(self, value: Any, place: Place, size: int = 1) -> Path:
        self.nodes += size
        if self.nodes > MAX_NODES:
            raise _RefusedError(f"more than {MAX_NODES} values, aliases counted; split the file", place)
        path: Path = ()
        if not self.stack:
            self.document.data, self.filled = value, True
        else:
            path = self._attach(self.stack[-1], value)
        self.document.values[path] = place
        return path

    def _attach(self, parent: _Open, value: Any) -> Path:
        if isinstance(parent.node, list):
            parent.node.append(value)
            return (*parent.path, len(parent.node) - 1)
        key, parent.key = parent.key or "", None
        parent.node[key] = value
        return (*parent.path, key)


def resolve(text: str) -> str | int | float | bool | None:
    """A plain scalar's value by the YAML 1.2 core schema. ValueError: a number no computer here holds."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} cannot be compared with anything; give a finite number")
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise ValueError("a number too large; put it in quotes if it is meant as text")
        return value
    return text


def _integer(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    digits = text[2:] if base != 10 else text  # noqa: PLR2004
    value = int(digits, base) if len(digits) < 64 else MAX_INTEGER  # noqa: PLR2004
    if not -MAX_INTEGER <= value < MAX_INTEGER:
        raise ValueError("a number of more than 64 bits; put it in quotes if it is meant as text")
    return value


_MENDS = (
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


def _mend(problem: str) -> str:
    return next((f"; {mend}" for sign, mend in _MENDS if sign in problem), "; check the lines around it")


def _unprintable(char: str) -> bool:
    return not (char in "\t\n\r\x85" or " " <= char <= "~" or (char >= "\xa0" and char not in "\ufffe\uffff"))
