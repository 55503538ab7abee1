"""Loads folders of rule files into one rule book, or reports every mistake in them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from firstcause.collector import pause_collector
from firstcause.core.catalog import Catalog, Entry, EntryBody
from firstcause.core.grouping.parts import PartPolicy
from firstcause.core.root_cause.learned_chances import LearnedChances
from firstcause.core.root_cause.ranking import Weights
from firstcause.core.root_cause.signals import Signals
from firstcause.core.text.similarity import MIN_SCORE
from firstcause.core.topology.names import NamePolicy
from firstcause.errors import Mistake, RuleFileError
from firstcause.inference.language import PlacedRule
from firstcause.inference.patterns import compile_matcher
from firstcause.resources import shipped_path
from firstcause.rulefiles.catalog_checks import check_sources
from firstcause.rulefiles.extends import apply_extensions
from firstcause.rulefiles.rule_file import RuleSource, SourceItem, fill_source, open_source
from firstcause.rulefiles.thresholds import collect_thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from firstcause.rulefiles.schema import RuleTest
    from firstcause.rulefiles.thresholds import ThresholdValue

T = TypeVar("T")

LIKENESS_THRESHOLD = "message_likeness"
"""The threshold of similarity from which a message that no pattern matches belongs to an entry."""

DIAGNOSIS_PREFIX = "diagnosis_"
PART_PREFIX = "part_"
NAME_PREFIX = "topology_"
"""The prefix of the thresholds that weigh evidence; see `core.root_cause.ranking.Weights`."""

RETIRED_FOLDER = "deprecated"
"""Name of a folder whose files are not loaded."""


@dataclass(frozen=True)
class RuleFolder:
    """A folder of rule files. name: its name in verdicts; None: the folder's own name."""

    path: Path
    name: str | None = None


@dataclass(frozen=True)
class PlacedTest:
    """A test and its place. file: its name as shown to users. path: the file itself."""

    test: RuleTest
    file: str
    line: int
    path: Path


@dataclass(frozen=True)
class RuleBook:
    """The contents of all rule files. depends_on: the components that each component cannot work without.

    site_depends_on: those of them that a site's own files say.

    paths: each file by its name in `files`. entry_places: `file:line` of each entry by its code.
    """

    catalog: Catalog
    rules: tuple[PlacedRule, ...]
    depends_on: Mapping[str, tuple[str, ...]]
    site_depends_on: Mapping[str, tuple[str, ...]]
    names: NamePolicy
    chances: LearnedChances
    signals: Signals
    weights: Weights
    parts: PartPolicy
    files: tuple[str, ...]
    tests: tuple[PlacedTest, ...] = ()
    thresholds: Mapping[str, ThresholdValue] = field(default_factory=dict)
    paths: Mapping[str, Path] = field(default_factory=dict)
    entry_places: Mapping[str, str] = field(default_factory=dict)
    matching_order: tuple[str, ...] = ()
    """Codes in the order in which their patterns are tried."""

    def from_thresholds(self, settings_class: type[T], prefix: str) -> T:
        """Build a dataclass of numbers, each from the threshold named by prefix and field if there is one."""
        return _build_from_thresholds(settings_class, prefix, self.thresholds)


def load(
    folders: Sequence[Path | RuleFolder],
    thresholds: Mapping[str, ThresholdValue] = MappingProxyType({}),
    *,
    complete: bool = True,
    open_kinds: bool = False,
) -> RuleBook:
    """Load every *.yaml and *.yml file under the folders, in order. RuleFileError: has all mistakes.

    thresholds: a site's own values of the thresholds that the files define. complete: whether these are all
    files, so that a value for a threshold that none of them defines is a mistake. open_kinds: whether a
    plugin supplies facts, which may be of kinds that no file names.
    """
    # Loading creates half a million objects that all stay, which the collector would traverse repeatedly.
    with pause_collector():
        return _load_rule_book(folders, thresholds, complete=complete, open_kinds=open_kinds)


def _load_rule_book(
    folders: Sequence[Path | RuleFolder],
    thresholds: Mapping[str, ThresholdValue],
    *,
    complete: bool,
    open_kinds: bool,
) -> RuleBook:
    sources: list[RuleSource] = []
    mistakes: list[Mistake] = []
    processed: set[Path] = set()
    for folder in folders:
        rule_folder = folder if isinstance(folder, RuleFolder) else RuleFolder(folder)
        try:
            files = [file for file in find_rule_files(rule_folder.path) if file.resolve() not in processed]
        except OSError as error:
            mistakes.append(Mistake(str(rule_folder.path), 0, 0, f"cannot be read: {error.strerror}"))
            continue
        if not rule_folder.path.exists():
            mistakes.append(
                Mistake(str(rule_folder.path), 0, 0, "no such folder of rules; make it, or correct the path")
            )
        processed.update(file.resolve() for file in files)
        sources += [open_source(file, _format_display_name(rule_folder, file)) for file in files]
    values, threshold_mistakes = collect_thresholds(sources, thresholds, complete=complete)
    for source in sources:
        fill_source(source, values)
    apply_extensions(sources)
    mistakes += threshold_mistakes
    mistakes += [mistake for source in sources for mistake in source.mistakes]
    mistakes += check_sources(sources, open_kinds=open_kinds)
    if mistakes:
        raise RuleFileError(_sort_mistakes(mistakes, [source.path for source in sources]))
    return _build_rule_book(sources, values)


_LEFT_OUT = {RETIRED_FOLDER, "sites"}


def find_rule_files(folder: Path) -> list[Path]:
    """List the rule files under the folder, or the file itself.

    Hidden and retired files are left out, and those in folders called "sites": such a pack has to be named.
    """
    if folder.is_file():
        return [folder]
    yaml_files = [file for file in folder.rglob("*") if file.suffix in {".yaml", ".yml"} and file.is_file()]
    return sorted(file for file in yaml_files if not _is_skipped(file.relative_to(folder)))


def _is_skipped(relative: Path) -> bool:
    return not _LEFT_OUT.isdisjoint(relative.parts) or any(part.startswith(".") for part in relative.parts)


def _format_display_name(folder: RuleFolder, file: Path) -> str:
    root = folder.path.resolve()
    if folder.path.is_file():
        return f"{folder.name or root.parent.name}/{file.name}"
    return f"{folder.name or root.name}/{file.relative_to(folder.path).as_posix()}"


def _sort_mistakes(mistakes: Iterable[Mistake], paths: list[str]) -> list[Mistake]:
    rank = {path: index for index, path in enumerate(paths)}
    return sorted(
        set(mistakes),
        key=lambda mistake: (
            rank.get(mistake.path, -1),
            mistake.path,
            mistake.line,
            mistake.column,
            mistake.text,
        ),
    )


def _build_signals(sources: Sequence[RuleSource]) -> Signals:
    signals = [item.value for source in sources for item in source.signals]
    return Signals(
        signals, compile_matcher([(signal.name, signal.match) for signal in signals if signal.match])
    )


def _build_from_thresholds(settings_class: type[T], prefix: str, values: Mapping[str, ThresholdValue]) -> T:
    names = (dataclass_field.name for dataclass_field in fields(settings_class))  # type: ignore[arg-type]
    overrides = {name: values.get(prefix + name) for name in names}
    return settings_class(
        **{name: value for name, value in overrides.items() if isinstance(value, int | float)}
    )


def _build_part_policy(values: Mapping[str, ThresholdValue]) -> PartPolicy:
    return PartPolicy(**_read_lists(values, PART_PREFIX, ("tags", "ignored")))


def _build_name_policy(values: Mapping[str, ThresholdValue], aliases: Mapping[str, str]) -> NamePolicy:
    names = ("host_attributes", "host_programs", "exporters", "alias_labels")
    return NamePolicy(**_read_lists(values, NAME_PREFIX, names), aliases=aliases)


def _read_lists(
    values: Mapping[str, ThresholdValue], prefix: str, names: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(str(item) for item in value)
        for name in names
        if isinstance(value := values.get(prefix + name), tuple | list)
    }


def _read_likeness(values: Mapping[str, ThresholdValue]) -> float:
    value = values.get(LIKENESS_THRESHOLD)
    return float(value) if isinstance(value, int | float) else MIN_SCORE


def _collect_edges(sources: Iterable[RuleSource]) -> dict[str, tuple[str, ...]]:
    """Collect what each component depends on: the file's own component, and those under `topology`."""
    edges: dict[str, dict[str, None]] = {}
    for source in sources:
        if source.header is not None:
            written = {source.header.component: source.header.depends_on}
            for name, others in (*written.items(), *source.header.topology.items()):
                edges.setdefault(name, {}).update(dict.fromkeys(others))
    return {name: tuple(others) for name, others in edges.items()}


def _build_rule_book(sources: Sequence[RuleSource], values: Mapping[str, ThresholdValue]) -> RuleBook:
    entries = [
        _build_entry(item, source.header.component if source.header else "")
        for source in sources
        for item in source.entries
    ]
    own_sources = [source for source in sources if not _is_shipped(source)]
    own_names = {source.display_name for source in own_sources}
    aliases = {
        alias: name
        for source in sources
        if source.header is not None
        for name, others in source.header.aliases.items()
        for alias in others
    }
    items = {item.value.code: item for source in sources for item in source.entries}
    # What a site writes wins over what is shipped; else the order of the files decides.
    matching = sorted(entries, key=lambda entry: items[entry.code].source.display_name not in own_names)
    return RuleBook(
        catalog=Catalog(
            entries,
            compile_matcher([(entry.code, entry.match) for entry in matching if entry.match]),
            _read_likeness(values),
        ),
        rules=tuple(
            PlacedRule(item.value, item.source.display_name, item.line)
            for source in sources
            for item in source.rules
        ),
        depends_on=_collect_edges(sources),
        site_depends_on=_collect_edges(own_sources),
        names=_build_name_policy(values, aliases),
        chances=reduce(
            LearnedChances.combine,
            (source.header.learned for source in sources if source.header is not None),
            LearnedChances(),
        ),
        signals=_build_signals(sources),
        weights=_build_from_thresholds(Weights, DIAGNOSIS_PREFIX, values),
        parts=_build_part_policy(values),
        files=tuple(source.display_name for source in sources),
        tests=tuple(_iter_tests(sources)),
        thresholds=values,
        paths={source.display_name: Path(source.path) for source in sources},
        entry_places={code: f"{item.source.display_name}:{item.line}" for code, item in items.items()},
        matching_order=tuple(entry.code for entry in matching),
    )


def _is_shipped(source: RuleSource) -> bool:
    return Path(source.path).resolve().is_relative_to(shipped_path("rules").resolve())


def _build_entry(item: SourceItem[EntryBody], component: str) -> Entry:
    return Entry(component=component, **{name: getattr(item.value, name) for name in EntryBody.model_fields})


def _iter_tests(sources: Sequence[RuleSource]) -> Iterator[PlacedTest]:
    for source in sources:
        for item in source.tests:
            yield PlacedTest(item.value, source.display_name, item.line, Path(source.path))
