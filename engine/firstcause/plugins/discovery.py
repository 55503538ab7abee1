"""Finds plugins by their entry points, one by one, so that a broken plugin breaks nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.text.spelling import suggest_nearest
from firstcause.hookspecs import API_VERSION
from firstcause.plugins.entry_points import find_distributions, list_entry_points, read_metadata
from firstcause.plugins.plugin import Plugin
from firstcause.plugins.plugin_settings import read_enabled
from firstcause.plugins.timeouts import CallTimeoutError, call_with_timeout, describe_error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from importlib.metadata import EntryPoint

LOAD_TIMEOUT_S = 10.0
"""Seconds within which a plugin's module must be imported; commands that load plugins wait so long."""

OWN_DISTRIBUTION = "firstcause"
"""Of two plugins with one name, that of this distribution is used."""

_REQUIRED_API = "REQUIRED_API"
"""The attribute by which a module says which version of the API it needs at least, such as "1.1"."""


def discover(settings: Mapping[str, Mapping[str, Any]], disabled: Collection[str] = ()) -> list[Plugin]:
    """All installed plugins in the order of their names, imported; problems are kept in each.

    settings: the tables by name; one with `enabled = false` keeps its plugin from being imported, as does
    `disabled`.
    """
    plugins: dict[str, Plugin] = {}
    for owner, entry_points, version, error in _list_distributions():
        if error is not None:
            plugins[owner] = Plugin(owner, version=version)
            plugins[owner].add_problem(error)
        for entry_point in entry_points:
            name = entry_point.name
            if name in plugins:
                plugins[f"{name} ({owner})"] = _describe_second(
                    f"{name} ({owner})", name, owner, plugins[name]
                )
            else:
                off = name in disabled or read_enabled(find_table(settings, name)) is False
                plugins[name] = _load_plugin(entry_point, owner, version, disabled=off)
    for name in settings:
        if not any(name in _list_table_names(plugin) for plugin in plugins):
            missing = Plugin(name)
            missing.add_problem(_describe_missing(name, plugins))
            plugins[name] = missing
    return sorted(plugins.values(), key=lambda plugin: plugin.name)


def find_table(settings: Mapping[str, Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """The table of the plugin. Environment variables have no hyphen, so my_plugin is my-plugin's too."""
    tables = [settings[key] for key in reversed(_list_table_names(name)) if key in settings]
    return {key: value for table in tables for key, value in table.items()}


def _list_table_names(name: str) -> list[str]:
    return list(dict.fromkeys((name, name.replace("-", "_"))))


def load_commands(entry_points: Iterable[EntryPoint]) -> list[Plugin]:
    """Import these plugins, for no other hook than `firstcause_commands`. Of two with one name the first."""
    plugins: dict[str, Plugin] = {}
    for entry_point in entry_points:
        if entry_point.name not in plugins:
            plugins[entry_point.name] = Plugin(entry_point.name)
            import_module(plugins[entry_point.name], entry_point)
    return list(plugins.values())


def _list_distributions() -> list[tuple[str, list[EntryPoint], str | None, str | None]]:
    """Our own distribution first, then the others: name, entry points, version, and why it has none."""
    listed: list[tuple[str, list[EntryPoint], str | None, str | None]] = []
    for distribution in find_distributions():
        owner = read_metadata(distribution, "Name") or "unnamed"
        version = read_metadata(distribution, "Version")
        try:
            listed.append((owner, list_entry_points(distribution), version, None))
        except Exception as error:  # noqa: BLE001 - importlib.metadata raises what its parsing stumbles over
            problem = f"its entry_points.txt cannot be read: {describe_error(error)}"
            listed.append((owner, [], version, problem))
    return sorted(listed, key=lambda entry: entry[0] != OWN_DISTRIBUTION)


def _describe_second(name: str, wanted: str, owner: str, first: Plugin) -> Plugin:
    """A plugin that is not loaded, as another one has its name."""
    second = Plugin(name)
    second.add_problem(
        f"not loaded: {first.distribution or 'another package'} has a plugin of the same name, {wanted}, "
        f"which is used; give the entry point of {owner} another name, or uninstall one of the two"
    )
    return second


def _describe_missing(name: str, plugins: Mapping[str, Plugin]) -> str:
    """Why the table [plugins.<name>] configures nothing, and what to write instead."""
    for plugin in plugins.values():
        former_names = getattr(plugin.module, "FORMER_NAMES", ())
        if isinstance(former_names, list | tuple) and name in former_names:
            return f"[plugins.{name}] was renamed; write [plugins.{plugin.name}]"
    hint = suggest_nearest(name, plugins, "[plugins.{}]") or "; install it, or remove the table"
    return f"[plugins.{name}] configures a plugin that is not installed{hint}"


def _load_plugin(entry_point: EntryPoint, owner: str, version: str | None, *, disabled: bool) -> Plugin:
    plugin = Plugin(entry_point.name, version=version, disabled=disabled, distribution=owner)
    if not disabled:
        import_module(plugin, entry_point)
    return plugin


def import_module(plugin: Plugin, entry_point: EntryPoint) -> None:
    """Import the plugin's module. That this fails becomes a problem of the plugin."""
    try:
        module = call_with_timeout(entry_point.load, LOAD_TIMEOUT_S, f"loading {entry_point.name}")
    except CallTimeoutError:
        plugin.add_problem(
            f"does not load: {entry_point.value} is not imported within {LOAD_TIMEOUT_S:g} s; let it import "
            "large libraries, and connect, where it uses them"
        )
    except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything
        plugin.add_problem(f"does not load: {_describe_import_error(error)}")
    else:
        plugin.module = module
        _check_api(plugin)


def _describe_import_error(error: Exception) -> str:
    """Say why a module cannot be imported, and of a missing library what to do."""
    text = describe_error(error)
    if isinstance(error, ModuleNotFoundError) and error.name and "pip install" not in text:
        return f"{text}; install what has {error.name} where firstcause is installed"
    return text


def _check_api(plugin: Plugin) -> None:
    """Name a plugin that says that it needs a newer API. Its hooks are called all the same."""
    required = getattr(plugin.module, _REQUIRED_API, None)
    if required is None:
        return
    try:
        major, minor = map(int, str(required).split("."))
    except ValueError:
        plugin.add_problem(f'its {_REQUIRED_API} is {required!r}, not a version such as "{API_VERSION}"')
        return
    own_major, own_minor = map(int, API_VERSION.split("."))
    if major != own_major or minor > own_minor:
        newer = (major, minor) > (own_major, own_minor)
        plugin.add_problem(
            f"it is written for API {required}, and this firstcause has {API_VERSION}; what fits is used. "
            f"Update {'firstcause' if newer else 'the plugin'}"
        )
