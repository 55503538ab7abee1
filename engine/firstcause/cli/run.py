"""The commands run, demo and init."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from firstcause.cli.common import Context, echo, json_option, pass_context, show_json
from firstcause.cli.log_output import log_to_stderr


@click.command(epilog="Example: firstcause --config /etc/firstcause/config.toml run")
@pass_context
def run(ctx: Context) -> None:
    """Run the daemon.

    The daemon takes errors in, runs probes, sends notifications and serves the page. SIGHUP reloads rules,
    SIGTERM drains and stops.
    """
    from firstcause.daemon.reload_requests import ReloadRequests

    reload_requests = ReloadRequests()
    reload_requests.handle_signal()
    from firstcause.daemon.server import serve

    log = ctx.settings.log
    log_to_stderr(logging.getLevelNamesMapping()[log.level.upper()], as_json=log.format == "json")
    _log_plugins_from_info(ctx)
    serve(ctx.app, reload_requests)


def _log_plugins_from_info(ctx: Context) -> None:
    """What plugins themselves log is wanted; what their libraries log below WARNING is not."""
    import logging

    for state in ctx.app.plugins.states():
        if state.module is not None:
            logging.getLogger(state.module.partition(".")[0]).setLevel(logging.INFO)


@click.command(epilog="Example: firstcause demo --once")
@click.option("--once", is_flag=True, help="Stop after the scenario instead of keeping the daemon running.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def demo(*, once: bool, as_json: bool) -> None:
    """Play a scenario: fifty errors, one cause, one SMS.

    Runs the real daemon in a temporary folder, with a simulated Twilio.
    """
    from firstcause.demo.play import play_demo

    play_demo(once=once, as_json=as_json)


@click.command(epilog="Example: firstcause init monitoring")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@json_option
def init(folder: Path, *, as_json: bool) -> None:
    """Write config.toml and rules/ to edit. Existing files are kept."""
    from firstcause.cli.init_files import write_scaffold

    files = list(write_scaffold(folder))
    if as_json:
        show_json({"files": [{"path": str(path), "written": written} for path, written in files]})
        return
    for path, written in files:
        echo(f"{'wrote' if written else 'kept '} {path}")


COMMANDS = (run, demo, init)
