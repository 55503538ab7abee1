"""What firstcause knows: catalog, cause graph and compiled rules, as one value that a reload replaces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firstcause.core.topology import CauseGraph
from firstcause.errors import ConfigError, FirstcauseError
from firstcause.inference.engine import Inference
from firstcause.rulefiles.load import load
from firstcause.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from firstcause.config import Settings
    from firstcause.core.catalog import Catalog
    from firstcause.rulefiles.load import RuleBook
    from firstcause.rulefiles.thresholds import Value

SHIPPED = "shipped"


@dataclass(frozen=True)
class Knowledge:
    """One consistent set of rules. close() frees the rule engine's memory once nobody uses the set."""

    book: RuleBook
    graph: CauseGraph
    inference: Inference

    @property
    def catalog(self) -> Catalog:
        return self.book.catalog

    def close(self) -> None:
        self.inference.close()


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


def learn(folders: Sequence[Path], thresholds: Mapping[str, Value], *, whole: bool = True) -> Knowledge:
    """Read and compile all rule files. RuleFileError with every mistake where any is wrong.

    thresholds, whole: see `load`.
    """
    book = load(folders, thresholds, whole=whole)
    causes = {code: entry.causes for code, entry in book.catalog.entries.items()}
    return Knowledge(book, CauseGraph(causes), Inference(book.rules))
