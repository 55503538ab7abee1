"""ack, merge, split, silence add, silence list, silence end."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, clean, json_option, now, pass_context, show_json, show_table

if TYPE_CHECKING:
    from collections.abc import Mapping

_by = click.option(
    "--by", metavar="NAME", default=getpass.getuser, help="Who says so; else who is logged in."
)
_comment = click.option("--comment", metavar="TEXT", help="Why.")


@click.command(epilog="Example: firstcause ack 7 --comment 'looking at the Twilio console'")
@click.argument("number", metavar="ID")
@click.option("--undo", is_flag=True, help="Nobody is at it any more.")
@_by
@_comment
@json_option
@pass_context
def ack(ctx: Context, *, number: str, undo: bool, by: str, comment: str | None, as_json: bool) -> None:
    """Acknowledge an incident: somebody is at it, so nobody is reminded of it."""
    service = ctx.ready_service
    act = service.acting.give_back if undo else service.acting.acknowledge
    act(number, now(), by, comment)
    found = service.incident(number)
    if as_json:
        show_json(found)
    elif found["acknowledged_by"]:
        click.echo(f"incident {found['id']} is acknowledged by {clean(found['acknowledged_by'])}")
    else:
        click.echo(f"incident {found['id']} is not acknowledged")


_reason = click.option("--reason", metavar="TEXT", help="Why.")


@click.command(epilog="Example: firstcause merge 8 7 --reason 'the same deployment'")
@click.argument("number", metavar="ID")
@click.argument("into", metavar="INTO")
@_by
@_reason
@json_option
@pass_context
def merge(ctx: Context, *, number: str, into: str, by: str, reason: str | None, as_json: bool) -> None:
    """Say that incident ID has its cause in incident INTO; that holds against every rule."""
    service, at = ctx.ready_service, now()
    service.acting.merge(number, into, at, by, reason)
    service.heed(at)
    show_json(service.incident(into)) if as_json else click.echo(f"incident {number} goes into {into}")


@click.command(epilog="Example: firstcause split 7 31 32 --reason 'another fault'")
@click.argument("number", metavar="ID")
@click.argument("ids", nargs=-1, required=True, metavar="ALERT_ID...")
@_by
@_reason
@json_option
@pass_context
def split(
    ctx: Context, *, number: str, ids: tuple[str, ...], by: str, reason: str | None, as_json: bool
) -> None:
    """Say that alerts of an incident have a cause of their own; `incident ID --json` has their ids."""
    service, at = ctx.ready_service, now()
    service.acting.split(number, ids, at, by, reason)
    service.heed(at)
    show_json(service.incident(number)) if as_json else click.echo(f"split off incident {number}")


@click.group()
def silence() -> None:
    """Of which errors nobody is told for a while."""


@silence.command(epilog="Example: firstcause silence add code=SMS_DELIVERY_FAILURE tenant=acme --for 2h")
@click.argument("matchers", nargs=-1, metavar="MATCHER...")
@click.option(
    "--incident", "number", metavar="ID", help="Of the root of that incident, in place of matchers."
)
@click.option(
    "--for", "length", metavar="LENGTH", default="1h", show_default=True, help="Such as 30m, 2h, 3d."
)
@click.option("--start", metavar="TIME", help="ISO 8601; now where it is not given.")
@_by
@_comment
@json_option
@pass_context
def add(
    ctx: Context,
    *,
    matchers: tuple[str, ...],
    number: str | None,
    length: str,
    start: str | None,
    by: str,
    comment: str | None,
    as_json: bool,
) -> None:
    """Tell nobody of errors that all MATCHERs fit.

    A MATCHER is FIELD=VALUE, FIELD!=VALUE, or with a pattern FIELD=~PATTERN, FIELD!~PATTERN, of the fields
    code, service, component, tenant, severity and message. Incidents stay where they are seen.
    """
    from firstcause.incidents.actions import silence_answer

    if bool(matchers) is bool(number):
        msg = "give MATCHERs or --incident, one of the two"
        raise click.UsageError(msg)
    acting, at = ctx.ready_service.acting, now()
    made = acting.silence(
        matchers or acting.silence_incident(str(number)),
        at,
        length=_seconds(length),
        by=by,
        comment=comment,
        starts_at=_time(start),
    )
    ctx.ready_service.heed(at)
    if as_json:
        show_json(silence_answer(made, at))
    else:
        click.echo(f"silence {made.number} until {made.ends_at.isoformat(timespec='seconds')}")


@silence.command(name="list", epilog="Example: firstcause silence list --all")
@click.option("--all", "ended", is_flag=True, help="Those that are over as well.")
@json_option
@pass_context
def list_silences(ctx: Context, *, ended: bool, as_json: bool) -> None:
    """The silences, the newest first, and which incidents they concern now."""
    found = ctx.ready_service.acting.silences(now(), ended=ended)
    if as_json:
        show_json({"silences": found})
        return
    show_table(("ID", "STATE", "ENDS", "MATCHERS", "BY", "INCIDENTS"), [_row(each) for each in found])


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    matchers, hit = " ".join(each["matchers"]), ", ".join(each["incidents"])
    return each["id"], each["state"], each["ends_at"], clean(matchers), clean(each["created_by"]), hit


@silence.command(name="end", epilog="Example: firstcause silence end 3")
@click.argument("number", metavar="ID")
@_by
@json_option
@pass_context
def end_silence(ctx: Context, *, number: str, by: str, as_json: bool) -> None:
    """End a silence now; what is still open is then told."""
    from firstcause.incidents.actions import silence_answer

    at = now()
    found = ctx.ready_service.acting.end_silence(number, at, by)
    ctx.ready_service.heed(at)
    show_json(silence_answer(found, at)) if as_json else click.echo(f"silence {found.number} is over")


def _seconds(length: str) -> float:
    from firstcause.core.text.durations import seconds

    try:
        return seconds(length)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from None


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is no time; write it like 2026-11-24T03:00:00Z"
        raise click.BadParameter(msg, param_hint="--start") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


COMMANDS = (ack, merge, split, silence)
