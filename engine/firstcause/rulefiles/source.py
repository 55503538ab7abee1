"""One rule file, read part by part, so that one bad entry does not hide what else is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from firstcause.core.catalog import EntryBody
from firstcause.errors import Mistake
from firstcause.inference.language import Rule
from firstcause.rulefiles.explain import explain
from firstcause.rulefiles.schema import RuleFile, RuleTest
from firstcause.rulefiles.yamlmarks import Document, read

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from firstcause.rulefiles.yamlmarks import Path

M = TypeVar("M", bound=BaseModel)

_CODE = re.compile(r"\bcode:\s*['\"]?([A-Z][A-Z0-9_]*)")


@dataclass(frozen=True)
class Item(Generic[M]):
    """One good entry, rule or test of a file, and where it stands."""

    source: Source
    path: Path
    value: M

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
    rules: list[Item[Rule]] = field(default_factory=list)
    tests: list[Item[RuleTest]] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    mistakes: list[Mistake] = field(default_factory=list)

    def mistake(self, path: Path, text: str, *, key: bool = False) -> Mistake:
        place = self.document.key(path) if key else self.document.place(path)
        return Mistake(self.path, *place, text)


def parse(file: FilePath, shown: str) -> Source:
    """Reads one file. Never raises for what is in it: see `mistakes`."""
    source = Source(str(file), shown)
    try:
        raw = file.read_bytes()
    except OSError as error:
        source.mistakes.append(Mistake(source.path, 0, 0, f"cannot be read: {error.strerror}"))
        return source
    source.codes.update(_CODE.findall(raw.decode("utf-8", "replace")))
    document, source.mistakes = read(raw, source.path)
    if document is None:
        return source
    source.document = document
    source.codes = {code for code in _raw_codes(document.data) if isinstance(code, str)}
    source.entries = _items(source, "catalog", EntryBody)
    source.rules = _items(source, "rules", Rule)
    source.tests = _items(source, "tests", RuleTest)
    lists = ("catalog", "rules", "tests")
    rest = {
        key: [] if key in lists and isinstance(value, list) else value for key, value in document.data.items()
    }
    source.head = _validated(source, (), rest, RuleFile)
    return source


def _raw_codes(data: dict[str, Any]) -> list[Any]:
    entries = data.get("catalog")
    return [one.get("code") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def _items(source: Source, key: str, model: type[M]) -> list[Item[M]]:
    parts = source.document.data.get(key)
    good: list[Item[M]] = []
    for index, part in enumerate(parts if isinstance(parts, list) else ()):
        value = _validated(source, (key, index), part, model)
        if value is not None:
            good.append(Item(source, (key, index), value))
    return good


def _validated(source: Source, path: Path, part: Any, model: type[M]) -> M | None:
    try:
        # By way of JSON, because strict takes words for enums and lists for tuples only there.
        return model.model_validate_json(json.dumps(part), strict=True)
    except ValidationError as error:
        found = explain(error.errors(include_url=False), part, path)
        source.mistakes += [source.mistake(where, text, key=key) for where, key, text in found]
        return None
