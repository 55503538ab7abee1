"""The command drill."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, echo, json_option, now, pass_context, show_json, single_line
from firstcause.cli.completion import complete_code
from firstcause.errors import StoreError

if TYPE_CHECKING:
    from firstcause.app.application import Application

_POLL_INTERVAL_S = 0.25


@click.command(epilog="Example: firstcause drill TWILIO_API_FAILURE --route 'on call'")
@click.argument("code", default="FIRSTCAUSE_DRILL", shell_complete=complete_code)
@click.option(
    "--route", metavar="NAME", help="Use this route even if it does not match. Default: the matching routes."
)
@click.option(
    "--wait", "length", metavar="LENGTH", default="2m", show_default=True, help="Wait this long for delivery."
)
@json_option
@pass_context
def drill(ctx: Context, *, code: str, route: str | None, length: str, as_json: bool) -> None:
    """Send a test alert, to check that the phone rings.

    The alert goes through the whole pipeline. It is marked as a drill, skips all waiting times, affects no
    other incident and resolves by itself. A running daemon sends it, otherwise this command does. Exit 1 if
    a route could not deliver it.
    """
    from firstcause.core.text.durations import parse_duration

    try:
        timeout_s = parse_duration(length)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--wait") from None
    app = ctx.ready_app
    event_id = app.notifications.send_drill(code, route, now())
    daemon_runs = _await_drill(app, event_id, time.monotonic() + timeout_s)
    answer = app.notifications.get_drill_outcome(event_id) | {"daemon": daemon_runs}
    show_json(answer) if as_json else _show_drill(answer, length)
    if not answer["delivered"]:
        click.get_current_context().exit(1)


def _await_drill(app: Application, event_id: str, deadline: float) -> bool:
    """Wait until the drill is delivered or has failed; act as the daemon if none runs.

    Return whether a daemon runs.
    """
    try:
        with app.database.hold_daemon_lock():
            app.pipeline.triage_all(now())
            while not app.notifications.get_drill_outcome(event_id)["over"] and time.monotonic() < deadline:
                app.notifications.deliver(now())
                time.sleep(_POLL_INTERVAL_S)
    except StoreError:
        # A daemon runs. If the store itself fails, the next query raises.
        while not app.notifications.get_drill_outcome(event_id)["over"] and time.monotonic() < deadline:
            time.sleep(_POLL_INTERVAL_S)
        return True
    return False


def _show_drill(answer: dict[str, Any], length: str) -> None:
    echo(f"drill of {answer['code']}, incident {answer['incident'] or 'not opened'}")
    for row in answer["tries"]:
        detail = row["reference"] or "" if row["status"] == "sent" else row["error"]
        echo(f"  {row['notifier']}: {row['status']} {single_line(detail)}".rstrip())
    for row in answer["routes"]:
        echo(f"route {single_line(row['route'])}: {row['outcome'] or f'nothing within {length}'}")
    if not answer["daemon"]:
        echo("no daemon runs on this store, so this command sent the drill; start one with `firstcause run`")
    if answer["incident"] is None:
        echo(f"nothing happened within {length}; check `firstcause status` and the daemon's log")
    elif not answer["routes"]:
        echo("no route matches, so nobody would be notified; check [[notify.routes]]")


COMMANDS = (drill,)
