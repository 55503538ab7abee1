"""Finds plugins by their entry points, one by one, so that a broken one breaks nothing else."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from firstcause.core.text.spelling import suggest_nearest
from firstcause.hookspecs import GROUP
from firstcause.plugins.timeouts import CallTimeoutError, call_with_timeout, describe_error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

log = logging.getLogger("firstcause.host")

LOAD_TIMEOUT_S = 30.0
"""Seconds that one plugin's module has to load."""

_MAX_PROBLEMS = 20


@dataclass(frozen=True)
class PluginState:
    """What `plugins list` shows. status: loaded, failed or disabled."""

    name: str
    status: str
    version: str | None = None
    module: str | None = None
    problems: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()


@dataclass
class Plugin:
    """One plugin and how it fares. configured False: its settings are wrong, hooks that need them rest."""

    name: str
    module: Any = None
    version: str | None = None
    config: BaseModel | None = None
    configured: bool = True
    disabled: bool = False
    problems: dict[str, None] = field(default_factory=dict)

    def add_problem(self, text: str) -> None:
        """Take down what is wrong, and say it once. The latest 20 are kept."""
        if text not in self.problems:
            if len(self.problems) >= _MAX_PROBLEMS:
                self.problems.pop(next(iter(self.problems)), None)
            self.problems[text] = None
            log.warning("plugin %s: %s", self.name, text)


def discover(settings: Mapping[str, Mapping[str, Any]], disabled: Collection[str]) -> list[Plugin]:
    """All installed plugins in the order of their names, loaded and configured as far as they let us."""
    plugins: dict[str, Plugin] = {}
    for distribution in _find_distributions():
        for plugin in _load_plugins(distribution, settings, disabled):
            existing = plugins.setdefault(plugin.name, plugin)
            if existing is not plugin:
                existing.add_problem(
                    f"{_read_metadata(distribution, 'Name')} has a plugin of the same name, which is left out"
                )
    for name in settings:
        if name not in plugins:
            hint = suggest_nearest(name, plugins, "[plugins.{}]") or "; install it, or remove the table"
            missing = plugins[name] = Plugin(name)
            missing.add_problem(f"[plugins.{name}] configures a plugin that is not installed{hint}")
    return sorted(plugins.values(), key=lambda plugin: plugin.name)


def _find_distributions() -> Iterator[Distribution]:
    """Those with a table of ours, each once, as the import system would find it."""
    yielded_names = set()
    for distribution in distributions():
        if f"[{GROUP}]" in (distribution.read_text("entry_points.txt") or ""):
            name = re.sub(
                r"[-_.]+", "-", _read_metadata(distribution, "Name") or str(id(distribution))
            ).lower()
            if name not in yielded_names:
                yielded_names.add(name)
                yield distribution


def _read_metadata(distribution: Distribution, key: str) -> str | None:
    metadata = distribution.metadata
    return metadata[key] if key in metadata else None  # noqa: SIM401 - no dict: it has no get in every Python


def _load_plugins(
    distribution: Distribution, settings: Mapping[str, Mapping[str, Any]], disabled: Collection[str]
) -> list[Plugin]:
    version = _read_metadata(distribution, "Version")
    try:
        entry_points = [
            entry_point for entry_point in distribution.entry_points if entry_point.group == GROUP
        ]
    except Exception as error:  # noqa: BLE001 - importlib.metadata raises what its parsing stumbles over
        unreadable_plugin = Plugin(_read_metadata(distribution, "Name") or "unnamed", version=version)
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
    try:
        plugin.module = call_with_timeout(entry_point.load, LOAD_TIMEOUT_S, f"loading {entry_point.name}")
    except CallTimeoutError:
        plugin.add_problem(f"does not load: {entry_point.value} is not through within {LOAD_TIMEOUT_S:g} s")
        return plugin
    except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything
        plugin.add_problem(f"does not load: {describe_error(error)}")
        return plugin
    configure(plugin, table)
    return plugin


def configure(plugin: Plugin, table: Mapping[str, Any]) -> None:
    """Validate the plugin's table with the model that it names."""
    model = getattr(plugin.module, "Config", None)
    if model is None:
        if table:
            plugin.add_problem(f"takes no settings, so [plugins.{plugin.name}] has no effect; remove it")
        return
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        plugin.configured = False
        plugin.add_problem("its Config is no pydantic model")
        return
    try:
        plugin.config = model.model_validate(dict(table))
    except ValidationError as error:
        plugin.configured = False
        for detail in error.errors(include_url=False, include_input=False):
            key = ".".join(map(str, detail["loc"])) or "table"
            plugin.add_problem(
                f"[plugins.{plugin.name}] {key}: {detail['msg'].removeprefix('Value error, ')}"
            )
    except Exception as error:  # noqa: BLE001 - a stranger's validator may raise anything
        plugin.configured = False
        # Its text is left out: it may hold the value, and the value may be a secret.
        plugin.add_problem(f"its Config raised {type(error).__name__} for [plugins.{plugin.name}]")
