"""The command plugins list."""

from __future__ import annotations

import dataclasses

import click

from firstcause.cli.common import Context, echo, json_option, pass_context, show_json, show_table


@click.group()
def plugins() -> None:
    """Show the loaded plugins."""


@plugins.command(name="list", epilog="Example: firstcause plugins list")
@json_option
@pass_context
def list_plugins(ctx: Context, *, as_json: bool) -> None:
    """List plugins with status, hooks and problems. Exit 1 if one has a problem."""
    app = ctx.app
    root = click.get_current_context().find_root().command
    own_commands = root.commands if isinstance(root, click.Group) else {}
    # Called before the states are read: most problems of a plugin show when its hooks are called.
    probes, notifiers = app.health.probes, app.notifications.notifiers
    _ = app.plugins.rule_folders(), app.plugins.commands(own_commands)
    states = app.plugins.states()
    if as_json:
        show_json({"plugins": [dataclasses.asdict(state) for state in states]})
    else:
        rows = [
            (state.name, state.status, state.version or "", ", ".join(state.hooks), "; ".join(state.problems))
            for state in states
        ]
        show_table(("NAME", "STATUS", "VERSION", "HOOKS", "PROBLEMS"), rows)
        echo(f"probes: {', '.join(probes) or 'none'}")
        echo(f"notifiers: {', '.join(notifiers) or 'none'}")
    click.get_current_context().exit(1 if any(state.problems for state in states) else 0)


COMMANDS = (plugins,)
