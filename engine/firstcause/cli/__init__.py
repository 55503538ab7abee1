"""The command line. Each command is thin: it calls a part of the application and shows the answer."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

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
    web,
)
from firstcause.cli.common import Context, exit_code
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
    web,
)


@click.group(
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "FIRSTCAUSE_CLI",
        "color": False if os.environ.get("NO_COLOR") else None,
    },
    epilog="Example: firstcause demo",
)
@click.option(
    "--config", type=click.Path(dir_okay=False), envvar="FIRSTCAUSE_CONFIG", help="The config.toml to use."
)
@click.version_option(package_name="firstcause")
@click.pass_context
def firstcause(ctx: click.Context, config: str | None) -> None:
    """Which of fifty errors is the cause, whom it hits, and how to fix it."""
    ctx.obj = Context(config)
    ctx.call_on_close(ctx.obj.close)


for _module in _COMMAND_MODULES:
    for _command in _module.COMMANDS:
        firstcause.add_command(_command)


def main() -> NoReturn:
    """Run; every error of ours is one clear line on stderr."""
    try:
        # Without click's own handling, what a command gives to ctx.exit() is what comes back here.
        code = firstcause(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except FirstcauseError as error:
        click.echo(f"firstcause: {error}", err=True)
        sys.exit(exit_code(error))
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(code)
