"""From folders of rule files to one rule book, or to every mistake in them."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from firstcause.core.catalog import Catalog, Entry, EntryBody
from firstcause.core.root_cause.ranking import Weights
from firstcause.core.root_cause.signals import Signals
from firstcause.core.text.similarity import THRESHOLD
from firstcause.errors import Mistake, RuleFileError
from firstcause.inference.language import PlacedRule
from firstcause.inference.patterns import matcher
from firstcause.rulefiles.catalog_checks import check
from firstcause.rulefiles.extends import inherit
from firstcause.rulefiles.rule_file import Item, Source, fill_source, open_source
from firstcause.rulefiles.thresholds import gather

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from firstcause.rulefiles.schema import RuleTest
    from firstcause.rulefiles.thresholds import Value

T = TypeVar("T")

LIKENESS = "message_likeness"
"""The threshold from which on a text that no pattern fits is taken for the entry's whose words it has."""

DIAGNOSIS = "diagnosis_"
"""How the names of thresholds begin that weigh evidence; see `core.diagnosis.Weights`."""

RETIRED = "deprecated"
"""A folder of this name keeps what is no longer loaded."""


@dataclass(frozen=True)
class RuleFolder:
    """Where rule files are. name: how verdicts call the folder, its own name where None."""

    path: Path
    name: str | None = None


@dataclass(frozen=True)
class PlacedTest:
    """A test and where it is written. file: as shown to users; path: where it is."""

    test: RuleTest
    file: str
    line: int
    path: Path


@dataclass(frozen=True)
class RuleBook:
    """All that the rule files say. depends_on: component to the components it cannot work without.

    paths: where each file is, by its name in `files`.
    """

    catalog: Catalog
    rules: tuple[PlacedRule, ...]
    depends_on: Mapping[str, tuple[str, ...]]
    signals: Signals
    weights: Weights
    files: tuple[str, ...]
    tests: tuple[PlacedTest, ...] = ()
    thresholds: Mapping[str, Value] = field(default_factory=dict)
    paths: Mapping[str, Path] = field(default_factory=dict)

    def tuned(self, kind: type[T], prefix: str) -> T:
        """A dataclass of numbers, each from the threshold named so after the prefix, where there is one."""
        return _tuned(kind, prefix, self.thresholds)


def load(
    folders: Sequence[Path | RuleFolder],
    thresholds: Mapping[str, Value] = MappingProxyType({}),
    *,
    whole: bool = True,
) -> RuleBook:
    """Reads every *.yaml and *.yml under the folders, in order. RuleFileError: with all mistakes.

    thresholds: a site's own values of the thresholds that the files name. whole: these are all the files
    that there are, so that a value for a threshold that none of them names is a mistake.
    """
    # Half a million small objects that all stay: the collector would look through them again and again.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _load(folders, thresholds, whole=whole)
    finally:
        if collecting:
            gc.enable()


def _load(folders: Sequence[Path | RuleFolder], thresholds: Mapping[str, Value], *, whole: bool) -> RuleBook:
    sources: list[Source] = []
    mistakes: list[Mistake] = []
    seen: set[Path] = set()
    for folder in folders:
        place = folder if isinstance(folder, RuleFolder) else RuleFolder(folder)
        try:
            files = [file for file in rule_files(place.path) if file.resolve() not in seen]
        except OSError as error:
            mistakes.append(Mistake(str(place.path), 0, 0, f"cannot be read: {error.strerror}"))
            continue
        if not place.path.exists():
            mistakes.append(
                Mistake(str(place.path), 0, 0, "no such folder of rules; make it, or correct the path")
            )
        seen.update(file.resolve() for file in files)
        sources += [open_source(file, _shown(place, file)) for file in files]
    values, wrong = gather(sources, thresholds, whole=whole)
    for source in sources:
        fill_source(source, values)
    inherit(sources)
    mistakes += wrong
    mistakes += [mistake for source in sources for mistake in source.mistakes]
    mistakes += check(sources)
    if mistakes:
        raise RuleFileError(_in_order(mistakes, [source.path for source in sources]))
    return _book(sources, values)


def rule_files(folder: Path) -> list[Path]:
    """Rule files under the folder, or the one file it is; hidden and retired ones left out."""
    if folder.is_file():
        return [folder]
    found = [file for file in folder.rglob("*") if file.suffix in {".yaml", ".yml"} and file.is_file()]
    return sorted(file for file in found if not _skipped(file.relative_to(folder)))


def _skipped(relative: Path) -> bool:
    return RETIRED in relative.parts or any(part.startswith(".") for part in relative.parts)


def _shown(folder: RuleFolder, file: Path) -> str:
    root = folder.path.resolve()
    if folder.path.is_file():
        return f"{folder.name or root.parent.name}/{file.name}"
    return f"{folder.name or root.name}/{file.relative_to(folder.path).as_posix()}"


def _in_order(mistakes: Iterable[Mistake], paths: list[str]) -> list[Mistake]:
    rank = {path: number for number, path in enumerate(paths)}
    return sorted(
        set(mistakes), key=lambda one: (rank.get(one.path, -1), one.path, one.line, one.column, one.text)
    )


def _signals(sources: Sequence[Source]) -> Signals:
    found = [item.value for source in sources for item in source.signals]
    return Signals(found, matcher([(signal.name, signal.match) for signal in found if signal.match]))


def _tuned(kind: type[T], prefix: str, values: Mapping[str, Value]) -> T:
    names = (each.name for each in fields(kind))  # type: ignore[arg-type]
    given = {name: values.get(prefix + name) for name in names}
    return kind(**{name: value for name, value in given.items() if isinstance(value, int | float)})


def _likeness(values: Mapping[str, Value]) -> float:
    value = values.get(LIKENESS)
    return float(value) if isinstance(value, int | float) else THRESHOLD


def _book(sources: Sequence[Source], values: Mapping[str, Value]) -> RuleBook:
    entries = [
        _entry(item, source.head.component if source.head else "")
        for source in sources
        for item in source.entries
    ]
    depends_on: dict[str, tuple[str, ...]] = {}
    for source in sources:
        if source.head is not None:
            name = source.head.component
            depends_on[name] = tuple(dict.fromkeys((*depends_on.get(name, ()), *source.head.depends_on)))
    return RuleBook(
        catalog=Catalog(
            entries,
            matcher([(entry.code, entry.match) for entry in entries if entry.match]),
            _likeness(values),
        ),
        rules=tuple(
            PlacedRule(item.value, item.source.shown, item.line)
            for source in sources
            for item in source.rules
        ),
        depends_on=depends_on,
        signals=_signals(sources),
        weights=_tuned(Weights, DIAGNOSIS, values),
        files=tuple(source.shown for source in sources),
        tests=tuple(_tests(sources)),
        thresholds=values,
        paths={source.shown: Path(source.path) for source in sources},
    )


def _entry(item: Item[EntryBody], component: str) -> Entry:
    return Entry(component=component, **{name: getattr(item.value, name) for name in EntryBody.model_fields})


def _tests(sources: Sequence[Source]) -> Iterator[PlacedTest]:
    for source in sources:
        for item in source.tests:
            yield PlacedTest(item.value, source.shown, item.line, Path(source.path))
