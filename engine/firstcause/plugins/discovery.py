"""Finds plugins by their entry points, one by one, so that a broken plugin breaks nothing else."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from firstcause.core.text.spelling import suggest_nearest
from firstcause.errors import ConfigError
from firstcause.hookspecs.setting_files import read_file_keys
from firstcause.hookspecs.settings import describe_settings_error
from firstcause.plugins.entry_points import find_distributions, list_entry_points, read_metadata
from firstcause.plugins.timeouts import CallTimeoutError, call_with_timeout, describe_error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from importlib.metadata import Distribution, EntryPoint

log = logging.getLogger("firstcause.host")

LOAD_TIMEOUT_S = 30.0
"""Seconds within which one plugin's module must be imported."""

CONFIG_TIMEOUT_S = 5.0
"""Seconds within which one plugin's settings must be validated."""

_MAX_PROBLEMS = 20

_LOG_INTERVAL = timedelta(minutes=1)
_MAX_LOG_LINES = 5
"""Problems of one plugin that are logged within a minute, each once. The others are counted."""


@dataclass(frozen=True)
class PluginState:
    """What `plugins list` shows. status: loaded, failed or disabled."""

    name: str
    status: str
    version: str | None = None
    module: str | None = None
    problems: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()


class ProblemKind(StrEnum):
    """How a problem of a plugin ends.

    LASTING: with a restart. CALL: when calls of it succeed again. LISTENER: when its listener runs again.
    """

    LASTING = "lasting"
    CALL = "call"
    LISTENER = "listener"


@dataclass
class ProblemRecord:
    """When a problem was first and last seen, and last logged."""

    kind: ProblemKind
    since: datetime
    last_at: datetime
    logged_at: datetime | None = None


@dataclass
class Plugin:
    """One plugin and its state.

    module: None if it was not imported. configured: False if its settings are wrong; hooks that take
    `config` are then not called.
    """

    name: str
    module: Any = None
    version: str | None = None
    config: BaseModel | None = None
    configured: bool = True
    disabled: bool = False
    problems: dict[str, ProblemRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._minute_began = datetime.min.replace(tzinfo=UTC)
        self._logged_lines = self._held_back = 0

    def add_problem(self, text: str, kind: ProblemKind = ProblemKind.LASTING) -> None:
        """Keep a problem, and log it at most once a minute. The latest 20 are kept. Thread-safe."""
        now = datetime.now(UTC)
        with self._lock:
            if (record := self.problems.get(text)) is None:
                if len(self.problems) >= _MAX_PROBLEMS:
                    self.problems.pop(next(iter(self.problems)), None)
                record = self.problems[text] = ProblemRecord(kind, now, now)
            record.last_at = now
            held_back = self._count_held_back(record, now)
        if held_back is not None:
            suffix = f" ({held_back} further problems were not logged)" if held_back else ""
            log.warning("plugin %s: %s%s", self.name, text, suffix)

    def _count_held_back(self, record: ProblemRecord, now: datetime) -> int | None:
        """Count the problems since the last one that was logged; None if this one is held back too."""
        if now - self._minute_began >= _LOG_INTERVAL:
            self._minute_began, self._logged_lines = now, 0
        is_repeated = record.logged_at is not None and now - record.logged_at < _LOG_INTERVAL
        if is_repeated or self._logged_lines >= _MAX_LOG_LINES:
            self._held_back += 1
            return None
        record.logged_at = now
        self._logged_lines += 1
        held_back, self._held_back = self._held_back, 0
        return held_back


def discover(settings: Mapping[str, Mapping[str, Any]], disabled: Collection[str]) -> list[Plugin]:
    """All installed plugins in the order of their names, loaded and configured; problems are kept in each."""
    plugins: dict[str, Plugin] = {}
    for distribution in find_distributions():
        for plugin in _load_plugins(distribution, settings, disabled):
            existing = plugins.setdefault(plugin.name, plugin)
            if existing is not plugin:
                other = read_metadata(distribution, "Name")
                existing.add_problem(f"{other} has a plugin of the same name, which is not loaded")
    for name in settings:
        if name not in plugins:
            missing = Plugin(name)
            missing.add_problem(_describe_missing(name, plugins))
            plugins[name] = missing
    return sorted(plugins.values(), key=lambda plugin: plugin.name)


def load_commands(entry_points: Iterable[EntryPoint]) -> list[Plugin]:
    """Load plugins without their settings, for no other hook than `firstcause_commands`."""
    plugins: dict[str, Plugin] = {}
    for entry_point in entry_points:
        plugin = Plugin(entry_point.name, configured=False)
        _import_module(plugin, entry_point)
        plugins.setdefault(plugin.name, plugin)
    return list(plugins.values())


def _describe_missing(name: str, plugins: Mapping[str, Plugin]) -> str:
    """Why the table [plugins.<name>] configures nothing, and what to write instead."""
    for plugin in plugins.values():
        former_names = getattr(plugin.module, "FORMER_NAMES", ())
        if isinstance(former_names, list | tuple) and name in former_names:
            return f"[plugins.{name}] was renamed; write [plugins.{plugin.name}]"
    hint = suggest_nearest(name, plugins, "[plugins.{}]") or "; install it, or remove the table"
    return f"[plugins.{name}] configures a plugin that is not installed{hint}"


def _load_plugins(
    distribution: Distribution, settings: Mapping[str, Mapping[str, Any]], disabled: Collection[str]
) -> list[Plugin]:
    version = read_metadata(distribution, "Version")
    try:
        entry_points = list_entry_points(distribution)
    except Exception as error:  # noqa: BLE001 - importlib.metadata raises what its parsing stumbles over
        unreadable_plugin = Plugin(read_metadata(distribution, "Name") or "unnamed", version=version)
        unreadable_plugin.add_problem(f"its entry_points.txt cannot be read: {describe_error(error)}")
        return [unreadable_plugin]
    return [
        _load_plugin(entry_point, version, settings.get(entry_point.name, {}), disabled)
        for entry_point in entry_points
    ]


def _load_plugin(
    entry_point: EntryPoint, version: str | None, table: Mapping[str, Any], disabled: Collection[str]
) -> Plugin:
    plugin = Plugin(entry_point.name, version=version)
    if entry_point.name in disabled:
        plugin.disabled = True
        return plugin
    if _import_module(plugin, entry_point):
        configure(plugin, table)
    return plugin


def _import_module(plugin: Plugin, entry_point: EntryPoint) -> bool:
    """Import the plugin's module. False if that fails, which becomes a problem of the plugin."""
    try:
        plugin.module = call_with_timeout(entry_point.load, LOAD_TIMEOUT_S, f"loading {entry_point.name}")
    except CallTimeoutError:
        plugin.add_problem(f"does not load: {entry_point.value} is not imported within {LOAD_TIMEOUT_S:g} s")
        return False
    except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything
        plugin.add_problem(f"does not load: {describe_error(error)}")
        return False
    return True


def configure(plugin: Plugin, table: Mapping[str, Any]) -> None:
    """Validate the plugin's table with its `Config`. Mistakes become problems of the plugin."""
    model = getattr(plugin.module, "Config", None)
    if model is None:
        if table:
            plugin.add_problem(f"takes no settings, so [plugins.{plugin.name}] has no effect; remove it")
        return
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        plugin.configured = False
        plugin.add_problem("its Config is not a pydantic model")
        return
    try:
        values = read_file_keys(table, model, f"[plugins.{plugin.name}]")
        plugin.config = call_with_timeout(
            lambda: model.model_validate(values), CONFIG_TIMEOUT_S, f"settings of {plugin.name}"
        )
    except ConfigError as error:
        plugin.configured = False
        plugin.add_problem(str(error))
    except ValidationError as error:
        plugin.configured = False
        for detail in error.errors(include_url=False, include_input=False):
            key = ".".join(map(str, detail["loc"])) or "table"
            plugin.add_problem(f"[plugins.{plugin.name}] {key}{describe_settings_error(model, detail)}")
    except CallTimeoutError:
        plugin.configured = False
        plugin.add_problem(f"its Config did not return within {CONFIG_TIMEOUT_S:g} s")
    except Exception as error:  # noqa: BLE001 - a stranger's validator may raise anything
        plugin.configured = False
        # Without the error's text, which may hold the value, and the value may be a secret.
        plugin.add_problem(f"its Config raised {type(error).__name__} for [plugins.{plugin.name}]")
