"""Commands that act on incidents: ack, merge, split, silence add, silence list, silence end."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import (
    Context,
    echo,
    json_option,
    now,
    pass_context,
    show_json,
    show_table,
    single_line,
)
from firstcause.cli.completion import complete_incident, complete_silence

if TYPE_CHECKING:
    from collections.abc import Mapping

_by_option = click.option(
    "--by", metavar="NAME", default=getpass.getuser, help="Name of who acts. Default: the logged-in user."
)
_comment_option = click.option("--comment", metavar="TEXT", help="Record why.")


@click.command(epilog="Example: firstcause ack 7 --comment 'looking at the Twilio console'")
@click.argument("number", metavar="ID", shell_complete=complete_incident)
@click.option("--undo", is_flag=True, help="Remove the acknowledgement.")
@_by_option
@_comment_option
@json_option
@pass_context
def ack(ctx: Context, *, number: str, undo: bool, by: str, comment: str | None, as_json: bool) -> None:
    """Acknowledge an incident. Reminders stop unless its priority rises."""
    incidents = ctx.ready_app.incidents
    act = incidents.unacknowledge if undo else incidents.acknowledge
    incident = act(number, now(), by, comment)
    if as_json:
        show_json(incident)
    elif incident["acknowledged_by"]:
        echo(f"incident {incident['id']} is acknowledged by {single_line(incident['acknowledged_by'])}")
    else:
        echo(f"incident {incident['id']} is no longer acknowledged")


_reason_option = click.option("--reason", metavar="TEXT", help="Record why.")


@click.command(epilog="Example: firstcause merge 8 7 --reason 'the same deployment'")
@click.argument("number", metavar="ID", shell_complete=complete_incident)
@click.argument("into", metavar="INTO", shell_complete=complete_incident)
@_by_option
@_reason_option
@json_option
@pass_context
def merge(ctx: Context, *, number: str, into: str, by: str, reason: str | None, as_json: bool) -> None:
    """Merge incident ID into incident INTO, its cause. Overrides every rule."""
    merged = ctx.ready_app.incidents.merge(number, into, now(), by, reason)
    show_json(merged) if as_json else echo(f"incident {number} is merged into {into}")


@click.command(epilog="Example: firstcause split 7 31 32 --reason 'another fault'")
@click.argument("number", metavar="ID", shell_complete=complete_incident)
@click.argument("ids", nargs=-1, required=True, metavar="ALERT_ID...")
@_by_option
@_reason_option
@json_option
@pass_context
def split(
    ctx: Context, *, number: str, ids: tuple[str, ...], by: str, reason: str | None, as_json: bool
) -> None:
    """Split alerts off an incident. Overrides every rule.

    `incident ID` lists the ids of its alerts.
    """
    incident = ctx.ready_app.incidents.split(number, ids, now(), by, reason)
    show_json(incident) if as_json else echo(f"alerts are split off incident {number}")


@click.group()
def silence() -> None:
    """Mute notifications for matching errors."""


@silence.command(epilog="Example: firstcause silence add code=SMS_DELIVERY_FAILURE tenant=acme --for 2h")
@click.argument("matchers", nargs=-1, metavar="MATCHER...")
@click.option(
    "--incident", "number", metavar="ID", help="Silence this incident's root cause (instead of MATCHERs)."
)
@click.option(
    "--for",
    "length",
    metavar="LENGTH",
    default="1h",
    show_default=True,
    help="Duration, for example 30m, 2h, 3d.",
)
@click.option("--start", metavar="TIME", help="Start at this time, ISO 8601. Default: now.")
@_by_option
@_comment_option
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
    """Mute notifications for errors that match all MATCHERs.

    A MATCHER is FIELD=VALUE or FIELD!=VALUE, or with a pattern FIELD=~PATTERN or FIELD!~PATTERN. Fields are
    code, service, component, tenant, severity and message. Silenced incidents stay listed.
    """
    from firstcause.incidents.silence_service import serialize_silence

    if bool(matchers) is bool(number):
        msg = "give either MATCHERs or --incident"
        raise click.UsageError(msg)
    silences, when = ctx.ready_app.silences, now()
    created = silences.create(
        matchers or silences.build_incident_matchers(str(number)),
        when,
        duration_s=_parse_length(length),
        actor=by,
        comment=comment,
        starts_at=_parse_time(start),
    )
    if as_json:
        show_json(serialize_silence(created, when))
    else:
        echo(f"silence {created.silence_id} ends at {created.ends_at.isoformat(timespec='seconds')}")


@silence.command(name="list", epilog="Example: firstcause silence list --all")
@click.option("--all", "ended", is_flag=True, help="Include expired silences.")
@json_option
@pass_context
def list_silences(ctx: Context, *, ended: bool, as_json: bool) -> None:
    """List silences, newest first, and the incidents that each one mutes."""
    silences = ctx.ready_app.silences.list_silences(now(), include_ended=ended)
    if as_json:
        show_json({"silences": silences})
        return
    show_table(
        ("ID", "STATE", "ENDS", "MATCHERS", "BY", "INCIDENTS"), [_silence_row(entry) for entry in silences]
    )


def _silence_row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    matchers, incident_ids = " ".join(entry["matchers"]), ", ".join(entry["incidents"])
    return (
        entry["id"],
        entry["state"],
        entry["ends_at"],
        single_line(matchers),
        single_line(entry["created_by"]),
        incident_ids,
    )


@silence.command(name="end", epilog="Example: firstcause silence end 3")
@click.argument("number", metavar="ID", shell_complete=complete_silence)
@_by_option
@json_option
@pass_context
def end_silence(ctx: Context, *, number: str, by: str, as_json: bool) -> None:
    """End a silence now. Matching incidents that are still open are then notified."""
    from firstcause.incidents.silence_service import serialize_silence

    when = now()
    ended = ctx.ready_app.silences.end(number, when, by)
    show_json(serialize_silence(ended, when)) if as_json else echo(f"silence {ended.silence_id} has ended")


def _parse_length(length: str) -> float:
    from firstcause.core.text.durations import parse_duration

    try:
        return parse_duration(length)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from None


def _parse_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is not a time; use for example 2026-11-24T03:00:00Z"
        raise click.BadParameter(msg, param_hint="--start") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


COMMANDS = (ack, merge, split, silence)
