"""One set of rules as a value: catalog, cause graph and compiled rules. A reload replaces the value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from firstcause.core.root_cause.graphs import CauseGraph, ComponentGraph
from firstcause.core.root_cause.learned_chances import LearnedChances
from firstcause.core.root_cause.suspects import DiagnosisInputs
from firstcause.errors import ConfigError, FirstcauseError
from firstcause.inference.engine import Inference
from firstcause.resources import shipped_path
from firstcause.rulefiles.load import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.config import Settings
    from firstcause.core.catalog import Catalog
    from firstcause.core.model import Fact, Scalar
    from firstcause.rulefiles.load import RuleBook
    from firstcause.rulefiles.thresholds import ThresholdValue

SHIPPED_RULES = "shipped"

NOTABLE_THRESHOLD = "compare_notable"
"""The name of that threshold."""

TIMEZONE_THRESHOLD = "clock_timezone"
HOLIDAYS_THRESHOLD = "clock_holidays"

_EdgePairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Rulebase:
    """One consistent set of rules. `close` frees the rule engine's memory; call it last.

    chances: how often alerts mean nothing, as rule files have it and past storms teach.
    islands: component -> the number of its part of the graph that the site wrote down.
    """

    book: RuleBook
    graph: CauseGraph
    inference: Inference
    depends_on: Mapping[str, tuple[str, ...]]
    islands: Mapping[str, int] = field(default_factory=dict)
    chances: LearnedChances = field(default_factory=LearnedChances)
    _wanted_facts: dict[tuple[str, tuple[tuple[str, Scalar], ...]], bool] = field(
        default_factory=dict, repr=False, compare=False
    )
    _graphs: dict[_EdgePairs, ComponentGraph] = field(default_factory=dict, repr=False, compare=False)

    @property
    def catalog(self) -> Catalog:
        return self.book.catalog

    @property
    def min_notable_change(self) -> float:
        """The share by which a number must change before rules are asked about it."""
        value = self.book.thresholds.get(NOTABLE_THRESHOLD)
        return float(value) if isinstance(value, int | float) else 0.0

    @property
    def timezone(self) -> str:
        """The time zone of the fact `clock`."""
        return str(self.book.thresholds.get(TIMEZONE_THRESHOLD, "UTC"))

    @property
    def holidays(self) -> frozenset[str]:
        """The holidays of the fact `clock`, such as 2026-12-25."""
        dates = self.book.thresholds.get(HOLIDAYS_THRESHOLD, ())
        return frozenset(map(str, dates)) if isinstance(dates, tuple | list) else frozenset()

    def wants_fact(self, kind: str, known_fields: Mapping[str, Scalar]) -> bool:
        """Whether a rule may take a fact of the kind with these fields; others need not be built."""
        key = kind, tuple(known_fields.items())
        if key not in self._wanted_facts:
            self._wanted_facts[key] = self.inference.can_take(kind, known_fields)
        return self._wanted_facts[key]

    def diagnosis_inputs(self, facts: Iterable[Fact]) -> DiagnosisInputs:
        """What root cause analysis needs.

        facts: what is known in addition to the alerts; `dependency` facts add edges to the graph.
        """
        extra_edges = tuple(
            (str(fact["component"]), str(fact["on"])) for fact in facts if _is_dependency(fact)
        )
        weights = self.book.weights
        if self.chances.storms:
            weights = replace(weights, crowd=weights.learned_crowd)
        return DiagnosisInputs(
            self._graph_with(extra_edges),
            self.book.signals,
            weights,
            names=self.book.names,
            islands=self.islands,
            causes=self.graph,
            chances=self.chances,
            components=frozenset(self.islands).union(*extra_edges),
        )

    def _graph_with(self, extra_edges: _EdgePairs) -> ComponentGraph:
        # Several threads ask. The graph is kept in a local, as another thread may clear the cache meanwhile.
        graph = self._graphs.get(extra_edges)
        if graph is None:
            edges = {name: list(others) for name, others in self.depends_on.items()}
            for component, dependency in extra_edges:
                edges.setdefault(component, []).append(dependency)
            graph = ComponentGraph(edges)
            self._graphs.clear()
            self._graphs[extra_edges] = graph
        return graph

    def close(self) -> None:
        self.inference.close()


def _is_dependency(fact: Fact) -> bool:
    return fact.get("kind") == "dependency" and "component" in fact and "on" in fact


@dataclass(frozen=True)
class RejectedReload:
    """Rule files that were rejected, so that the older rules stay live. rejected_at: when they were read."""

    rejected_at: datetime
    error: FirstcauseError


def resolve_rule_folders(settings: Settings, plugin_folders: Sequence[Path]) -> list[Path]:
    """The folders of [rules] paths in order, then those of plugins."""
    folders = [resolve_rule_folder(settings, path) for path in settings.rules.paths]
    for folder in folders:
        if not folder.is_dir():
            msg = f"[rules] paths: no folder {folder}; make it with `firstcause init`, or correct the path"
            raise ConfigError(msg)
    return [*folders, *plugin_folders]


def resolve_rule_folder(settings: Settings, path: str) -> Path:
    """The folder of one of [rules] paths."""
    return (
        shipped_path("rules")
        if path == SHIPPED_RULES
        else (settings.folder / Path(path).expanduser()).resolve()
    )


def load_rulebase(
    folders: Sequence[Path],
    thresholds: Mapping[str, ThresholdValue],
    *,
    all_files: bool = True,
    open_kinds: bool = False,
    depends_on: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Rulebase:
    """Read and compile all rule files. RuleFileError lists every mistake.

    thresholds, all_files, open_kinds: see `rulefiles.load.load`.
    depends_on: the site's own dependencies, added to those in the files.
    """
    book = load(folders, thresholds, complete=all_files, open_kinds=open_kinds)
    causes = {code: entry.causes for code, entry in book.catalog.entries.items()}
    edges = {
        name: (*book.depends_on.get(name, ()), *depends_on.get(name, ()))
        for name in dict.fromkeys((*book.depends_on, *depends_on))
    }
    site_edges = {
        name: (*book.site_depends_on.get(name, ()), *depends_on.get(name, ()))
        for name in dict.fromkeys((*book.site_depends_on, *depends_on))
    }
    islands = ComponentGraph(site_edges).number_islands()
    return Rulebase(book, CauseGraph(causes), Inference(book.rules), edges, islands, book.chances)
