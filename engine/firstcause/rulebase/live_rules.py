"""The rules that are live: loaded on first use, replaced by a reload while others still use the old set."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from firstcause.errors import ConfigError, RuleFileError
from firstcause.inference.engine import Inference
from firstcause.rulebase.rulebase import RejectedReload, Rulebase, load_rulebase, resolve_rule_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from firstcause.config import Settings
    from firstcause.core.catalog import Catalog


class _LiveSet:
    """One rule set and the number of its users. The set is closed when it is retired and unused."""

    def __init__(self, rulebase: Rulebase) -> None:
        self.rulebase = rulebase
        self._lock = threading.Lock()
        self._users = 0
        self._retired = False
        self._query_lock = threading.Lock()
        self._query_rulebase: Rulebase | None = None

    def acquire(self) -> bool:
        """Count one more user; False where the set is retired."""
        with self._lock:
            if self._retired:
                return False
            self._users += 1
            return True

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            is_last = self._retired and not self._users
        if is_last:
            self._close()

    def retire(self) -> None:
        """Close the set as soon as nobody uses it. A second call does nothing."""
        with self._lock:
            is_unused = not self._retired and not self._users
            self._retired = True
        if is_unused:
            self._close()

    def get_query_rulebase(self) -> Rulebase:
        """The same rules with an inference engine of their own, compiled on the first call."""
        with self._query_lock:
            if self._query_rulebase is None:
                self._query_rulebase = replace(self.rulebase, inference=Inference(self.rulebase.book.rules))
            return self._query_rulebase

    def _close(self) -> None:
        self.rulebase.close()
        if self._query_rulebase is not None:
            self._query_rulebase.close()


@dataclass
class LiveRules:
    """Hands out the live rule set. Any thread may ask.

    settings: where the rule files are, and their thresholds.
    list_plugin_folders: returns the rule folders of plugins.
    report_plugin_mistakes: takes which of these are not used, and why; the others are used.
    has_fact_suppliers: returns whether a plugin supplies facts, of kinds that no file has to name.
    initial: rules to begin with; None to read the files when the rules are first used.
    """

    settings: Settings
    list_plugin_folders: Callable[[], Sequence[Path]]
    initial: Rulebase | None = None
    report_plugin_mistakes: Callable[[Mapping[Path, str]], None] = lambda _mistakes: None
    has_fact_suppliers: Callable[[], bool] = lambda: False
    rejected: RejectedReload | None = None
    """The last reload, where its files had mistakes."""
    loaded_at: datetime | None = None
    """The time of the last reload; None where there was none."""
    _live: _LiveSet | None = field(init=False)
    _load_lock: threading.RLock = field(default_factory=threading.RLock, init=False)

    def __post_init__(self) -> None:
        self._live = _LiveSet(self.initial) if self.initial is not None else None

    @property
    def current(self) -> Rulebase:
        """The live rules, for look-ups. To evaluate rules, take `use`, as a reload closes the old set."""
        return self._get_live().rulebase

    @property
    def catalog(self) -> Catalog:
        return self.current.catalog

    @contextmanager
    def use(self) -> Iterator[Rulebase]:
        """The live rules; they stay usable until the block ends, whatever is reloaded meanwhile."""
        live = self._acquire()
        try:
            yield live.rulebase
        finally:
            live.release()

    @contextmanager
    def use_for_query(self) -> Iterator[Rulebase]:
        """Like `use`, for a question that evaluates rules.

        An inference engine runs one evaluation at a time, and triage may keep its engine busy for long. So
        questions share an engine of their own.
        """
        live = self._acquire()
        try:
            yield live.get_query_rulebase()
        finally:
            live.release()

    def reload(self, now: datetime) -> None:
        """Read the rule files and make them live.

        RuleFileError, ConfigError: nothing changes, and `rejected` has the error.
        """
        with self._load_lock:
            try:
                new_rulebase = self.load()
            except (RuleFileError, ConfigError) as error:
                self.rejected = RejectedReload(now, error)
                raise
            retired, self._live = self._live, _LiveSet(new_rulebase)
            self.rejected = None
            self.loaded_at = now
        if retired is not None:
            retired.retire()

    @property
    def folders(self) -> list[Path]:
        """The folders of rule files, in the order in which they are read."""
        return resolve_rule_folders(self.settings, self.list_plugin_folders())

    def load(self) -> Rulebase:
        """Read the rule files as they are now, without making them live. The caller closes the result.

        The folder of a plugin that has a mistake is left out and reported; one in the site's own folders is a
        RuleFileError.
        """
        own_folders, plugin_folders = resolve_rule_folders(self.settings, ()), [*self.list_plugin_folders()]
        mistakes: dict[Path, str] = {}
        try:
            rulebase = self._load_folders([*own_folders, *plugin_folders])
        except RuleFileError as error:
            mistakes = self._find_plugin_mistakes(own_folders, plugin_folders, error)
            if not mistakes:
                raise
            usable = [folder for folder in plugin_folders if folder not in mistakes]
            rulebase = self._load_folders([*own_folders, *usable])
        self.report_plugin_mistakes(mistakes)
        return rulebase

    def _load_folders(self, folders: Sequence[Path]) -> Rulebase:
        return load_rulebase(
            folders,
            self.settings.rules.thresholds,
            open_kinds=self.has_fact_suppliers(),
            depends_on=self.settings.topology.depends_on,
        )

    def _find_plugin_mistakes(
        self, own_folders: Sequence[Path], plugin_folders: Sequence[Path], error: RuleFileError
    ) -> dict[Path, str]:
        """The folders of plugins that do not load with the others, each with its mistakes."""
        mistakes: dict[Path, str] = {}
        for folder in plugin_folders:
            usable = [
                other for other in plugin_folders[: plugin_folders.index(folder)] if other not in mistakes
            ]
            own_texts = [str(mistake) for mistake in error.mistakes if _is_within(mistake.path, folder)]
            if not own_texts:
                own_texts = self._try_folders([*own_folders, *usable, folder])
            if own_texts:
                more = f" (and {len(own_texts) - 1} more)" if len(own_texts) > 1 else ""
                mistakes[folder] = f"{own_texts[0]}{more}; `firstcause rules check` lists every mistake"
        return mistakes

    def _try_folders(self, folders: Sequence[Path]) -> list[str]:
        try:
            self._load_folders(folders).close()
        except RuleFileError as error:
            return [str(mistake) for mistake in error.mistakes]
        return []

    def close(self) -> None:
        """Close the live rules when nobody uses them any more."""
        with self._load_lock:
            retired, self._live = self._live, None
        if retired is not None:
            retired.retire()

    def _acquire(self) -> _LiveSet:
        # A reload may retire the set between the look-up and the count; the next look-up finds the new one.
        while not (live := self._get_live()).acquire():
            pass
        return live

    def _get_live(self) -> _LiveSet:
        # Read without the lock, so that a look-up does not wait for a reload that reads files.
        if (live := self._live) is not None:
            return live
        with self._load_lock:
            if self._live is None:
                self._live = _LiveSet(self.load())
            return self._live


def _is_within(path: str, folder: Path) -> bool:
    return Path(path).resolve().is_relative_to(folder.resolve())
