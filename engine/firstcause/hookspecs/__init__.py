"""The hooks that a plugin may implement. Each returns values; none takes a callback.

A plugin is a module named by an entry point of the group `firstcause`. Where it needs settings it
names a pydantic model, as `Config` or as the type of a hook's argument `config`: the table
`[plugins.<entry point name>]` is validated with it. Every hook may take `config`, and may leave out any
argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import click

    from firstcause.core.model import Event
    from firstcause.hookspecs.types import (
        Enrichment,
        EventContext,
        FactContext,
        IntakeFormat,
        Listener,
        Notifier,
        Probe,
        Remedy,
        SuppliedFact,
    )

    HookFunction = (
        Callable[..., Sequence[Probe]]
        | Callable[..., Sequence[Notifier]]
        | Callable[..., Sequence[Remedy]]
        | Callable[..., Sequence[Path]]
        | Callable[..., Sequence[IntakeFormat]]
        | Callable[..., Sequence[Listener]]
        | Callable[..., Sequence[click.Command]]
        | Callable[..., Sequence[SuppliedFact]]
        | Callable[..., Enrichment | None]
    )
    """A function that returns what one of the hooks returns; mypy refuses `@hookimpl` above any other."""

GROUP = "firstcause"

API_VERSION = "1.1"
"""The version of what plugins may use: MAJOR.MINOR. docs/plugins.md says what it promises."""

hookspec = pluggy.HookspecMarker(GROUP)
_mark_hook = pluggy.HookimplMarker(GROUP)

F = TypeVar("F", bound="HookFunction")


@overload
def hookimpl(function: F, /) -> F: ...


@overload
def hookimpl(*, tryfirst: bool = False, trylast: bool = False) -> Callable[[F], F]: ...


def hookimpl(function: Any = None, /, *, tryfirst: bool = False, trylast: bool = False) -> Any:
    """Mark a function as a hook of the plugin, as `@hookimpl` or with a place among other plugins.

    tryfirst, trylast: called before, or after, the plugins that ask for neither.
    """
    return _mark_hook(function, tryfirst=tryfirst, trylast=trylast)


@hookspec
def firstcause_probes(config: Any) -> list[Probe]:  # type: ignore[empty-body]
    """Return the probes to run on their intervals."""


@hookspec
def firstcause_enrich(event: Event, context: EventContext, config: Any) -> Enrichment | None:
    """Return what to add to an event before it becomes part of an alert; None for nothing."""


@hookspec
def firstcause_notifiers(config: Any) -> list[Notifier]:  # type: ignore[empty-body]
    """Return the notifiers that routes can name."""


@hookspec
def firstcause_remedies(config: Any) -> list[Remedy]:  # type: ignore[empty-body]
    """Return the remedies that the page and the API offer."""


@hookspec
def firstcause_rules(config: Any) -> list[Path]:  # type: ignore[empty-body]
    """Return the folders of rule files that the plugin ships."""


@hookspec
def firstcause_intake(config: Any) -> list[IntakeFormat]:  # type: ignore[empty-body]
    """Return the formats of requests that the plugin parses."""


@hookspec
def firstcause_listeners(config: Any) -> list[Listener]:  # type: ignore[empty-body]
    """Return the listeners that receive events by another way than HTTP."""


@hookspec
def firstcause_commands(config: Any) -> list[click.Command]:  # type: ignore[empty-body]
    """Return the commands that are added to the command line."""


@hookspec
def firstcause_facts(context: FactContext, config: Any) -> list[SuppliedFact]:  # type: ignore[empty-body]
    """Return facts for rules. Called once for each evaluation."""
