"""Which functions of a plugin's module are hooks, and whether the host can call them.

A hook that cannot be called, as its name or an argument is unknown, costs that hook and not the plugin.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

from firstcause import hookspecs
from firstcause.core.text.spelling import suggest_nearest
from firstcause.plugins.timeouts import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from firstcause.plugins.plugin import Plugin

HOOK_PREFIX = "firstcause_"
_MARK = f"{hookspecs.GROUP}_impl"
"""The attribute that `hookimpl` sets."""


@dataclass(frozen=True)
class Hook:
    """A hook of a plugin that can be called. rank: -1 with tryfirst, 1 with trylast, else 0."""

    plugin: Plugin
    name: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]
    rank: int = 0

    def call(self, arguments: Mapping[str, object]) -> Any:
        """Call it with those of the arguments that it takes, and with its settings."""
        given = {**arguments, "config": self.plugin.config}
        return self.function(**{name: given[name] for name in self.arguments})


@cache
def list_hook_arguments() -> dict[str, tuple[str, ...]]:
    """The hooks that exist, each with the arguments that it may take."""
    return {
        name: tuple(inspect.signature(function).parameters)
        for name, function in vars(hookspecs).items()
        if name.startswith(HOOK_PREFIX) and isinstance(function, FunctionType)
    }


def find_hooks(plugin: Plugin, only: str | None = None) -> list[Hook]:
    """List the hooks of the plugin's module that can be called. What is wrong becomes a problem of it.

    only: the one hook to look at; None for all.
    """
    names = [name for name in _list_names(plugin) if only in {None, name}]
    return [hook for name in names if (hook := _find_hook(plugin, name)) is not None]


def _list_names(plugin: Plugin) -> Iterator[str]:
    for name in sorted(set(dir(plugin.module))):
        if name.startswith(HOOK_PREFIX) or _read_options(_read_attribute(plugin.module, name)) is not None:
            yield name


def _read_attribute(owner: object, name: str) -> Any:
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - a stranger's object may raise anything
        return None


def _read_options(function: object) -> Mapping[str, Any] | None:
    """What `hookimpl` was given; None where the function is not marked."""
    options = _read_attribute(function, _MARK)
    return options if isinstance(options, dict) else None


def _find_hook(plugin: Plugin, name: str) -> Hook | None:
    function = _read_attribute(plugin.module, name)
    options = _read_options(function)
    known = list_hook_arguments()
    if options is None:
        if name in known and callable(function):
            plugin.add_problem(f"{name} is not called, as it is not marked: write @hookimpl above it")
        return None
    hook_name = options.get("specname") or name
    if hook_name not in known:
        plugin.add_problem(
            f"{hook_name} is not called, as there is no such hook in API {hookspecs.API_VERSION}"
            f"{suggest_nearest(hook_name, known, '{}')}"
        )
        return None
    if not callable(function):
        plugin.add_problem(f"{name} is not called, as it is a {type(function).__name__}, not a function")
        return None
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        plugin.add_problem(f"{name} is not called, as its arguments are not known: {describe_error(error)}")
        return None
    given = [parameter for parameter in parameters if _is_given(parameter, known[hook_name])]
    unknown = [parameter.name for parameter in given if parameter.name not in known[hook_name]]
    if unknown:
        plugin.add_problem(
            f"{name} is not called, as it takes {', '.join(unknown)}; "
            f"API {hookspecs.API_VERSION} offers it {', '.join(known[hook_name])}"
        )
        return None
    rank = bool(options.get("trylast")) - bool(options.get("tryfirst"))
    return Hook(plugin, hook_name, function, tuple(parameter.name for parameter in given), rank)


def _is_given(parameter: inspect.Parameter, offered: tuple[str, ...]) -> bool:
    """Whether the host hands the argument in: what has a default of its own is left alone unless offered."""
    if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
        return False
    return parameter.name in offered or parameter.default is parameter.empty
