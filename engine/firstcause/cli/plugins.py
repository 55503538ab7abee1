"""plugins list."""

from __future__ import annotations

import dataclasses

import click

from firstcause.cli.common import Context, json_option, pass_context, show_json, show_table


@click.group()
def plugins() -> None:
    """The plugins: probes, notifiers, enrichment."""


@plugins.command(name="list", epilog="Example: firstcause plugins list")
@json_option
@pass_context
def list_plugins(ctx: Context, *, as_json: bool) -> None:
    """Every plugin, whether it works, and what it offers. Exit 1 where one has a problem."""
    app = ctx.app
    probes, notifiers = app.health.probes, app.notifications.notifiers
    # Before the states: a plugin's problems show only when its hooks are called.
    app.plugins.rule_folders()
    states = app.plugins.states()
    if as_json:
        show_json({"plugins": [dataclasses.asdict(state) for state in states]})
    else:
        rows = [
            (state.name, state.status, state.version or "", ", ".join(state.hooks), "; ".join(state.problems))
            for state in states
        ]
        show_table(("NAME", "STATUS", "VERSION", "HOOKS", "PROBLEMS"), rows)
        click.echo(f"probes: {', '.join(probes) or 'none'}")
        click.echo(f"notifiers: {', '.join(notifiers) or 'none'}")
    click.get_current_context().exit(1 if any(state.problems for state in states) else 0)


COMMANDS = (plugins,)
