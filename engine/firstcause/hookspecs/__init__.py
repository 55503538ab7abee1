"""The hooks that a plugin may implement. Each returns values; none takes a callback.

A plugin is a module named by an entry point of the group `firstcause`. Where it needs settings it
has an attribute `Config`, a pydantic model: the table `[plugins.<entry point name>]` is validated
with it and handed to the hooks that take `config`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
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

GROUP = "firstcause"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def firstcause_probes(config: Any) -> list[Probe]:  # type: ignore[empty-body]
    """Return the probes to run on their intervals."""


@hookspec
def firstcause_enrich(event: Event, context: EventContext) -> Enrichment | None:
    """Return what to add to an event before it becomes part of an alert; None for nothing."""


@hookspec
def firstcause_notifiers(config: Any) -> list[Notifier]:  # type: ignore[empty-body]
    """Return the notifiers that routes can name."""


@hookspec
def firstcause_remedies(config: Any) -> list[Remedy]:  # type: ignore[empty-body]
    """Return the remedies that the page and the API offer."""


@hookspec
def firstcause_rules() -> list[Path]:  # type: ignore[empty-body]
    """Return the folders of rule files that the plugin ships."""


@hookspec
def firstcause_intake(config: Any) -> list[IntakeFormat]:  # type: ignore[empty-body]
    """Return the formats of requests that the plugin parses."""


@hookspec
def firstcause_listeners(config: Any) -> list[Listener]:  # type: ignore[empty-body]
    """Return the listeners that receive events by another way than HTTP."""


@hookspec
def firstcause_commands() -> list[click.Command]:  # type: ignore[empty-body]
    """Return the commands that are added to the command line. Called without the plugin's settings."""


@hookspec
def firstcause_facts(context: FactContext) -> list[SuppliedFact]:  # type: ignore[empty-body]
    """Return facts for rules. Called once for each evaluation."""
