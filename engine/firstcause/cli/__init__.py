"""The command line. Each command is thin: it calls the application and prints the answer."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any, NoReturn

import click

from firstcause.cli import (
    actions,
    catalog,
    db,
    diagnose,
    drill,
    explain,
    health,
    incidents,
    plugins,
    replay,
    report,
    rules,
    run,
    status,
    topology,
    web,
)
from firstcause.cli.common import Context, echo, exit_code
from firstcause.errors import FirstcauseError

_COMMAND_MODULES = (
    run,
    status,
    report,
    incidents,
    actions,
    drill,
    explain,
    diagnose,
    replay,
    health,
    catalog,
    rules,
    plugins,
    db,
    topology,
    web,
)


def _read_plugin_tables(config: str | None) -> dict[str, dict[str, Any]]:
    """The [plugins] tables; none where config.toml has mistakes, which every other command tells."""
    try:
        return Context(config).settings.plugins
    except FirstcauseError as error:
        echo(f"firstcause: {error}", err=True)
        return {}


_GROUPS = {
    "Begin": ["demo", "init", "run", "web"],
    "See what is wrong": ["status", "incidents", "incident", "explain", "debug"],
    "Do something about it": ["ack", "resolve", "merge", "split", "silence", "fix"],
    "Look whether all works": ["check", "probe", "drill", "report", "plugins"],
    "See what changed": ["snapshots", "snapshot", "diff", "trend", "forecast", "topology"],
    "Teach it your errors": ["catalog", "rules", "diagnose", "replay"],
    "Look after the store": ["backup", "export", "prune", "db"],
}
"""Commands by what one wants to do; those that are not here come last, below "More"."""


class CommandLine(click.Group):
    """Our own commands, and those of plugins (hook `firstcause_commands`), which are found when needed.

    The plugins are looked for in the help, in completion and for a name that is not one of ours.
    """

    _plugin_commands: dict[str, click.Command] | None = None

    def _load_plugin_commands(self, ctx: click.Context) -> dict[str, click.Command]:
        if self._plugin_commands is None:
            self._plugin_commands = self._find_plugin_commands(ctx.find_root().params.get("config"))
        return self._plugin_commands

    def _find_plugin_commands(self, config: str | None) -> dict[str, click.Command]:
        from firstcause.plugins.entry_points import find_command_plugins

        entry_points = find_command_plugins()
        if not entry_points:
            return {}
        from firstcause.plugins.manager import PluginManager

        manager = PluginManager.load_commands(entry_points, partial(_read_plugin_tables, config))
        commands = manager.commands(reserved=self.commands)
        return {command.name: command for command in commands if command.name}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self._load_plugin_commands(ctx)])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands below what one wants to do; those of plugins last."""
        names = self.list_commands(ctx)
        grouped = {name for members in _GROUPS.values() for name in members}
        groups = {**_GROUPS, "More": [name for name in names if name not in grouped]}
        limit = formatter.width - 6 - max(map(len, names))
        for title, members in groups.items():
            commands = [(name, self.get_command(ctx, name)) for name in members if name in names]
            rows = [
                (name, command.get_short_help_str(limit))
                for name, command in commands
                if command is not None and not command.hidden
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self._load_plugin_commands(ctx).get(cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, click.ClickException, FirstcauseError, BrokenPipeError):
            raise
        except Exception as error:
            name = ctx.invoked_subcommand
            if name is None or name in self.commands:
                raise
            # A plugin's command: its failure is one line, as everything that a plugin does wrong.
            msg = f"command {name} failed: {type(error).__name__}: {error}"
            raise FirstcauseError(msg) from error


@click.group(
    cls=CommandLine,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "FIRSTCAUSE_CLI",
        "color": False if os.environ.get("NO_COLOR") else None,
    },
    epilog="Example: firstcause demo",
)
@click.option(
    "--config", type=click.Path(dir_okay=False), envvar="FIRSTCAUSE_CONFIG", help="Read this config.toml."
)
@click.version_option(package_name="firstcause")
@click.pass_context
def firstcause(ctx: click.Context, config: str | None) -> None:
    """Find the one cause behind many errors, its impact, and how to fix it."""
    ctx.obj = Context(config)
    ctx.call_on_close(ctx.obj.close)


for _module in _COMMAND_MODULES:
    for _command in _module.COMMANDS:
        firstcause.add_command(_command)


def main() -> NoReturn:
    """Run the command line. Print each of our errors as one line on stderr."""
    try:
        # Without click's own handling, the code that a command passes to ctx.exit() is returned here.
        code = firstcause(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        echo("stopped", err=True)
        sys.exit(130)
    except FirstcauseError as error:
        echo(f"firstcause: {error}", err=True)
        sys.exit(exit_code(error))
    except BrokenPipeError:
        # The reader of our output has closed the pipe, as `| head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(code)
