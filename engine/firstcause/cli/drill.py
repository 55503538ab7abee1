"""drill."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, clean, json_option, now, pass_context, show_json
from firstcause.errors import StoreError

if TYPE_CHECKING:
    from firstcause.app.application import Service

_LOOK = 0.25


@click.command(epilog="Example: firstcause drill TWILIO_API_FAILURE --route 'on call'")
@click.argument("code", default="FIRSTCAUSE_DRILL")
@click.option("--route", metavar="NAME", help="This route, whether it fits or not; else those that fit.")
@click.option(
    "--wait", "length", metavar="LENGTH", default="2m", show_default=True, help="How long it may take."
)
@json_option
@pass_context
def drill(ctx: Context, *, code: str, route: str | None, length: str, as_json: bool) -> None:
    """Send a test alert through the whole line, to see whether the phone rings.

    It is marked as a drill, waits for nothing, touches no other incident, and ends by itself. The daemon
    sends it where one runs. Exit code 1 where a route has told nobody.
    """
    from firstcause.core.text.durations import seconds

    try:
        patience = seconds(length)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--wait") from None
    service = ctx.ready_service
    event = service.drill(code, route, now())
    ran = _follow(service, event, time.monotonic() + patience)
    answer = service.drilled(event) | {"daemon": ran}
    show_json(answer) if as_json else _show(answer, length)
    if not answer["delivered"]:
        click.get_current_context().exit(1)


def _follow(service: Service, event: str, until: float) -> bool:
    """Wait until it has come or failed; be the daemon where there is none. Returns whether one runs."""
    try:
        with service.database.only_daemon():
            service.triage_all(now())
            while not service.drilled(event)["over"] and time.monotonic() < until:
                service.deliver(now())
                time.sleep(_LOOK)
    except StoreError:
        # A daemon runs. Where the store itself is in trouble, asking it says so.
        while not service.drilled(event)["over"] and time.monotonic() < until:
            time.sleep(_LOOK)
        return True
    return False


def _show(answer: dict[str, Any], length: str) -> None:
    click.echo(f"drill of {answer['code']}, incident {answer['incident'] or 'not opened'}")
    for each in answer["tries"]:
        said = each["reference"] or "" if each["status"] == "sent" else each["error"]
        click.echo(f"  {each['notifier']}: {each['status']} {clean(said)}".rstrip())
    for each in answer["routes"]:
        click.echo(f"route {clean(each['route'])}: {each['outcome'] or f'nothing within {length}'}")
    if not answer["daemon"]:
        click.echo("no daemon runs on this store, so this command sent it; start one: firstcause run")
    if answer["incident"] is None:
        click.echo(f"nothing happened within {length}: look at `firstcause status` and the daemon's log")
    elif not answer["routes"]:
        click.echo("no route takes it, so nobody would be told: look at [[notify.routes]]")


COMMANDS = (drill,)
