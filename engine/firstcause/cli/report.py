"""The command report."""

from __future__ import annotations

import json
from typing import Any

import click

from firstcause.cli.common import Context, echo, now, pass_context, show_json, single_line
from firstcause.cli.completion import complete_code
from firstcause.cli.incidents import show_incident
from firstcause.errors import IntakeError


@click.command(epilog="Example: firstcause report SMS_DELIVERY_FAILURE --tenant acme -m 'not sent' --wait")
@click.argument("code", required=False, shell_complete=complete_code)
@click.option("-m", "--message", help="Text of the error. Without CODE, the catalog is searched for it.")
@click.option("--tenant", help="Affected company. Default: the whole platform.")
@click.option("--service", help="Service that reports the error.")
@click.option("--severity", help="CRITICAL, WARNING or INFO. Default: the catalog entry's.")
@click.option("--detail", multiple=True, metavar="KEY=VALUE", help="Attach a detail. May be repeated.")
@click.option("--at", metavar="TIME", help="Time of the error, ISO 8601. Default: now.")
@click.option("--wait", is_flag=True, help="Print the incident that the error belongs to.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_context
def report(
    ctx: Context,
    *,
    code: str | None,
    message: str | None,
    tenant: str | None,
    service: str | None,
    severity: str | None,
    detail: tuple[str, ...],
    at: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Report an error by its CODE or its message."""
    from firstcause.intake.event_intake import generate_id
    from firstcause.intake.native_format import parse

    fields = {
        "code": code,
        "message": message,
        "tenant": tenant,
        "service": service,
        "severity": severity,
        "time": at,
    }
    event: dict[str, object] = {name: value for name, value in fields.items() if value is not None}
    if detail:
        event["details"] = dict(_parse_pair(pair) for pair in detail)
    limit = ctx.settings.intake.max_event_bytes
    body = json.dumps(event).encode()
    parsed = parse(body, "application/json", now=now(), new_id=generate_id, max_event_bytes=limit)
    if parsed.rejected:
        raise IntakeError(parsed.rejected[0].error)
    ctx.ready_app.intake.accept(parsed.events, now())
    ctx.ready_app.pipeline.triage_all(now())
    _show_accepted(ctx, parsed.events[0].id, wait=wait, as_json=as_json)


def _show_accepted(ctx: Context, event_id: str, *, wait: bool, as_json: bool) -> None:
    incident = ctx.ready_app.incidents.find_by_event(event_id)
    if incident is None:
        answer = {"accepted": 1, "id": event_id, "incident": None}
        show_json(answer) if as_json else echo("accepted; the error belongs to no open incident")
    elif wait:
        show_json(incident) if as_json else show_incident(incident)
    elif as_json:
        show_json({"accepted": 1, "id": event_id, "incident": incident["id"]})
    else:
        echo(f"accepted; incident {incident['id']}: {_format_title(incident)}")


def _format_title(incident: dict[str, Any]) -> str:
    return single_line(f"{incident['title']} ({incident['root']['code']})")


def _parse_pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        msg = f"--detail {text!r} is not KEY=VALUE"
        raise click.UsageError(msg)
    return key, value


COMMANDS = (report,)
