"""Reads one rule file part by part, so that one bad entry does not hide other mistakes."""

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
from firstcause.rulefiles.thresholds import fill_thresholds
from firstcause.rulefiles.validation_messages import explain_errors
from firstcause.rulefiles.yaml_reader import MAX_BYTES, Document, read_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path as FilePath

    from firstcause.rulefiles.thresholds import ThresholdValue
    from firstcause.rulefiles.yaml_reader import YamlPath

M = TypeVar("M", bound=BaseModel)

_LIST_KEYS = ("catalog", "signals", "rules", "tests")
_OMITTED = object()
_CODE_PATTERN = re.compile(r"\bcode:\s*['\"]?([A-Z][A-Z0-9_]*)")


@dataclass(frozen=True)
class SourceItem(Generic[M]):
    """A valid entry, signal, rule or test of a file, with its place and its plain data."""

    source: RuleSource
    path: YamlPath
    value: M
    raw: Any

    @property
    def line(self) -> int:
        return self.source.document.get_position(self.path)[0]

    def build_mistake(self, loc: YamlPath, text: str, *, key: bool = False) -> Mistake:
        """Build a mistake at a path within the item."""
        return self.source.build_mistake((*self.path, *loc), text, key=key)


@dataclass
class RuleSource:
    """The valid parts of one file. display_name: its name in verdicts. codes: all that it may define."""

    path: str
    display_name: str
    document: Document = field(default_factory=lambda: Document(None))
    header: RuleFile | None = None
    entries: list[SourceItem[EntryBody]] = field(default_factory=list)
    signals: list[SourceItem[Signal]] = field(default_factory=list)
    rules: list[SourceItem[Rule]] = field(default_factory=list)
    tests: list[SourceItem[RuleTest]] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    mistakes: list[Mistake] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Whether the whole file is valid."""
        return self.header is not None and not self.mistakes

    def build_mistake(self, path: YamlPath, text: str, *, key: bool = False) -> Mistake:
        position = self.document.get_key_position(path) if key else self.document.get_position(path)
        return Mistake(self.path, *position, text)


def open_source(file: FilePath, display_name: str) -> RuleSource:
    """Read the document and the header of one file. Never raises for its content: see `mistakes`."""
    source = RuleSource(str(file), display_name)
    try:
        with file.open("rb") as stream:
            # One byte more than the limit, so that a file of any size costs no more memory than that.
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        source.mistakes.append(Mistake(source.path, 0, 0, f"cannot be read: {error.strerror}"))
        return source
    source.codes.update(_CODE_PATTERN.findall(raw.decode("utf-8", "replace")))
    document, source.mistakes = read_document(raw, source.path)
    if document is None:
        return source
    source.document = document
    source.codes = {code for code in _list_raw_codes(document.data) if isinstance(code, str)}
    rest = {
        key: [] if key in _LIST_KEYS and isinstance(value, list) else value
        for key, value in document.data.items()
    }
    source.header = validate_part(source, (), rest, RuleFile)
    return source


def fill_source(source: RuleSource, thresholds: Mapping[str, ThresholdValue]) -> None:
    """Validate the lists of the document: entries without `extends`, signals, rules and tests."""
    source.entries = _build_items(source, "catalog", EntryBody, _omit_extensions)

    def fill_part(part: Any, path: YamlPath) -> Any:
        filled_part, unknown_names = fill_thresholds(part, thresholds)
        source.mistakes += [
            source.build_mistake((*path, *sub_path), text) for sub_path, text in unknown_names
        ]
        return _OMITTED if unknown_names else filled_part

    source.signals = _build_items(source, "signals", Signal, fill_part)
    source.rules = _build_items(source, "rules", Rule, fill_part)
    source.tests = _build_items(source, "tests", RuleTest)


def _omit_extensions(part: Any, _path: YamlPath) -> Any:
    return _OMITTED if isinstance(part, dict) and "extends" in part else part


def _list_raw_codes(data: dict[str, Any]) -> list[Any]:
    entries = data.get("catalog")
    return (
        [entry.get("code") for entry in entries if isinstance(entry, dict)]
        if isinstance(entries, list)
        else []
    )


def _build_items(
    source: RuleSource,
    key: str,
    model: type[M],
    prepare: Callable[[Any, YamlPath], Any] = lambda part, _path: part,
) -> list[SourceItem[M]]:
    parts = source.document.data.get(key) if source.document.data else None
    items: list[SourceItem[M]] = []
    for index, raw in enumerate(parts if isinstance(parts, list) else ()):
        part = prepare(raw, (key, index))
        value = None if part is _OMITTED else validate_part(source, (key, index), part, model)
        if value is not None:
            items.append(SourceItem(source, (key, index), value, part))
    return items


def validate_part(source: RuleSource, path: YamlPath, part: Any, model: type[M]) -> M | None:
    """Return the part as the model; None where it is invalid, with its mistakes added to the source."""
    try:
        # Through JSON, because only there strict mode accepts words for enums and lists for tuples.
        return model.model_validate_json(json.dumps(part), strict=True)
    except ValidationError as error:
        problems = explain_errors(error.errors(include_url=False), part, path)
        source.mistakes += [source.build_mistake(location, text, key=key) for location, key, text in problems]
        return None
