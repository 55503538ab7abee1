"""What firstcause knows: catalog, cause graph and compiled rules, as one value that a reload replaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from firstcause.core.root_cause.graphs import CauseGraph, ComponentGraph
from firstcause.core.root_cause.suspects import Method
from firstcause.errors import ConfigError, FirstcauseError
from firstcause.inference.engine import Inference
from firstcause.resources import shipped
from firstcause.rulefiles.load import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.config import Settings
    from firstcause.core.catalog import Catalog
    from firstcause.core.model import Fact
    from firstcause.rulefiles.load import RuleBook
    from firstcause.rulefiles.thresholds import Value

SHIPPED = "shipped"

NOTABLE = "compare_notable"
"""The name of that threshold."""

_Edges = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Knowledge:
    """One consistent set of rules. close() frees the rule engine's memory once nobody uses the set."""

    book: RuleBook
    graph: CauseGraph
    inference: Inference
    depends_on: Mapping[str, tuple[str, ...]]
    _graphs: dict[_Edges, ComponentGraph] = field(default_factory=dict, repr=False, compare=False)

    @property
    def catalog(self) -> Catalog:
        return self.book.catalog

    @property
    def notable(self) -> float:
        """The share by which a number must differ from what it was before rules are asked about it."""
        least = self.book.thresholds.get(NOTABLE)
        return float(least) if isinstance(least, int | float) else 0.0

    def method(self, told: Iterable[Fact]) -> Method:
        """How to find roots. told: facts besides the alerts, of which `dependency` ones add to the graph."""
        further = tuple((str(fact["component"]), str(fact["on"])) for fact in told if _depends(fact))
        return Method(self._graph_with(further), self.book.signals, self.book.weights)

    def _graph_with(self, further: _Edges) -> ComponentGraph:
        if further not in self._graphs:
            self._graphs.clear()
            edges = {name: list(others) for name, others in self.depends_on.items()}
            for component, on in further:
                edges.setdefault(component, []).append(on)
            self._graphs[further] = ComponentGraph(edges)
        return self._graphs[further]

    def close(self) -> None:
        self.inference.close()


def _depends(fact: Fact) -> bool:
    return fact.get("kind") == "dependency" and "component" in fact and "on" in fact


@dataclass(frozen=True)
class Refused:
    """Rule files that were not taken, so that older ones stay live. at: when they were read."""

    at: datetime
    error: FirstcauseError


def rule_folders(settings: Settings, supplied: Sequence[Path]) -> list[Path]:
    """The folders of [rules] paths in order, then those of plugins."""
    folders = [rule_folder(settings, path) for path in settings.rules.paths]
    for folder in folders:
        if not folder.is_dir():
            msg = f"[rules] paths: no folder {folder}; make it with `firstcause init`, or correct the path"
            raise ConfigError(msg)
    return [*folders, *supplied]


def rule_folder(settings: Settings, path: str) -> Path:
    """The folder of one of [rules] paths."""
    return shipped("rules") if path == SHIPPED else (settings.folder / Path(path).expanduser()).resolve()


def learn(
    folders: Sequence[Path],
    thresholds: Mapping[str, Value],
    *,
    whole: bool = True,
    depends_on: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Knowledge:
    """Read and compile all rule files. RuleFileError with every mistake where any is wrong.

    thresholds, whole: see `load`. depends_on: a site's own, besides what the files say.
    """
    book = load(folders, thresholds, whole=whole)
    causes = {code: entry.causes for code, entry in book.catalog.entries.items()}
    edges = {
        name: (*book.depends_on.get(name, ()), *depends_on.get(name, ()))
        for name in dict.fromkeys((*book.depends_on, *depends_on))
    }
    return Knowledge(book, CauseGraph(causes), Inference(book.rules), edges)
