"""One rule file, read part by part, so that one bad entry does not hide what else is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from firstcause.core.catalog import EntryBody
from firstcause.core.root_cause.signals import Signal
from firstcause.errors import Mistake
from firstcause.inference.language import Rule
from firstcause.rulefiles.schema import RuleFile, RuleTest
from firstcause.rulefiles.thresholds import filled
from firstcause.rulefiles.validation_messages import explain
from firstcause.rulefiles.yaml_reader import MAX_BYTES, Document, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path as FilePath

    from firstcause.rulefiles.thresholds import Value
    from firstcause.rulefiles.yaml_reader import Path

M = TypeVar("M", bound=BaseModel)

_LISTS = ("catalog", "signals", "rules", "tests")
_LEFT_OUT = object()
_CODE = re.compile(r"\bcode:\s*['\"]?([A-Z][A-Z0-9_]*)")


@dataclass(frozen=True)
class Item(Generic[M]):
    """One good entry, rule or test of a file, where it stands, and the plain data that it is made of."""

    source: Source
    path: Path
    value: M
    raw: Any

    @property
    def line(self) -> int:
        return self.source.document.place(self.path)[0]

    def mistake(self, loc: Path, text: str, *, key: bool = False) -> Mistake:
        """A mistake at that place within the item."""
        return self.source.mistake((*self.path, *loc), text, key=key)


@dataclass
class Source:
    """What could be used of one file. shown: its name in verdicts; codes: all that it may define."""

    path: str
    shown: str
    document: Document = field(default_factory=lambda: Document(None))
    head: RuleFile | None = None
    entries: list[Item[EntryBody]] = field(default_factory=list)
    signals: list[Item[Signal]] = field(default_factory=list)
    rules: list[Item[Rule]] = field(default_factory=list)
    tests: list[Item[RuleTest]] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    mistakes: list[Mistake] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Whether nothing of the file was left out."""
        return self.head is not None and not self.mistakes

    def mistake(self, path: Path, text: str, *, key: bool = False) -> Mistake:
        place = self.document.key(path) if key else self.document.place(path)
        return Mistake(self.path, *place, text)


def open_source(file: FilePath, shown: str) -> Source:
    """Reads one file: its document and its head. Never raises for what is in it: see `mistakes`."""
    source = Source(str(file), shown)
    try:
        with file.open("rb") as stream:
            # One byte more than may be: a file of any size costs no more memory than that.
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        source.mistakes.append(Mistake(source.path, 0, 0, f"cannot be read: {error.strerror}"))
        return source
    source.codes.update(_CODE.findall(raw.decode("utf-8", "replace")))
    document, source.mistakes = read(raw, source.path)
    if document is None:
        return source
    source.document = document
    source.codes = {code for code in _raw_codes(document.data) if isinstance(code, str)}
    rest = {
        key: [] if key in _LISTS and isinstance(value, list) else value
        for key, value in document.data.items()
    }
    source.head = validated(source, (), rest, RuleFile)
    return source


def fill_source(source: Source, thresholds: Mapping[str, Value]) -> None:
    """Takes what can be used of the document's lists: entries without `extends`, signals, rules, tests."""
    source.entries = _items(source, "catalog", EntryBody, _whole)

    def with_values(part: Any, path: Path) -> Any:
        whole, wrong = filled(part, thresholds)
        source.mistakes += [source.mistake((*path, *where), text) for where, text in wrong]
        return _LEFT_OUT if wrong else whole

    source.signals = _items(source, "signals", Signal, with_values)
    source.rules = _items(source, "rules", Rule, with_values)
    source.tests = _items(source, "tests", RuleTest)


def _whole(part: Any, _path: Path) -> Any:
    return _LEFT_OUT if isinstance(part, dict) and "extends" in part else part


def _raw_codes(data: dict[str, Any]) -> list[Any]:
    entries = data.get("catalog")
    return [one.get("code") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def _items(
    source: Source,
    key: str,
    model: type[M],
    prepare: Callable[[Any, Path], Any] = lambda part, _path: part,
) -> list[Item[M]]:
    parts = source.document.data.get(key) if source.document.data else None
    good: list[Item[M]] = []
    for index, written in enumerate(parts if isinstance(parts, list) else ()):
        part = prepare(written, (key, index))
        value = None if part is _LEFT_OUT else validated(source, (key, index), part, model)
        if value is not None:
            good.append(Item(source, (key, index), value, part))
    return good


def validated(source: Source, path: Path, part: Any, model: type[M]) -> M | None:
    """The part as the model, or None and its mistakes in the source."""
    try:
        # By way of JSON, because strict takes words for enums and lists for tuples only there.
        return model.model_validate_json(json.dumps(part), strict=True)
    except ValidationError as error:
        found = explain(error.errors(include_url=False), part, path)
        source.mistakes += [source.mistake(where, text, key=key) for where, key, text in found]
        return None
