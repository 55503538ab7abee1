"""incidents, incident, debug, resolve."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, clean, json_option, now, pass_context, show_json, show_table

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command(name="incidents", epilog="Example: firstcause incidents --status open")
@click.option("--status", type=click.Choice(["open", "resolved", "merged"]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
@pass_context
def list_incidents(ctx: Context, *, status: str | None, limit: int, as_json: bool) -> None:
    """The incidents, newest first."""
    found = ctx.ready_service.incidents(status, limit)
    if as_json:
        show_json({"incidents": found})
    elif not found:
        click.echo("no incidents")
    else:
        rows = [
            (
                one["id"],
                one["status"],
                one["priority"],
                one["root"]["code"],
                one["opened_at"],
                _size(one),
                f"(drill) {one['title']}" if one["drill"] else one["title"],
            )
            for one in found
        ]
        show_table(("ID", "STATUS", "PRIO", "ROOT", "OPENED", "ERRORS", "TITLE"), rows)


def _size(incident: dict[str, Any]) -> str:
    cascades = len({alert["code"] for alert in incident["alerts"] if alert["role"] == "cascade"})
    return f"{incident['events']} ({cascades} cascade codes)" if cascades else str(incident["events"])


@click.command(epilog="Example: firstcause incident 7")
@click.argument("number", metavar="ID")
@json_option
@pass_context
def incident(ctx: Context, *, number: str, as_json: bool) -> None:
    """One incident: its root, its cascades, what was said and what happened."""
    found = ctx.ready_service.incident(number)
    show_json(found) if as_json else show_incident(found)


def show_incident(found: dict[str, Any]) -> None:
    root = found["root"]
    click.secho(f"incident {found['id']}  {found['status']}  {found['priority']}", bold=True)
    click.echo(f"  {clean(found['title'])}")
    click.echo(f"  root      {clean(root['code'])}{_where(root)}")
    for verdict in found["verdicts"]:
        if verdict["verdict"] == "root_cause" and verdict["code"] == root["code"]:
            place = f"{verdict['file']}:{verdict['line']}" if verdict["file"] else verdict["rule"]
            click.echo(f"            {clean(verdict['because'])}  [{place}]")
    click.echo(
        f"  since     {found['opened_at']}"
        + (f" until {found['resolved_at']}" if found["resolved_at"] else "")
    )
    impact = found["impact"]
    click.echo(f"  hits      {_hits(impact)}")
    click.echo(f"  errors    {found['events']}")
    for alert in found["alerts"]:
        alike = "" if alert["likeness"] is None else f"  by its words, {alert['likeness']:.0%} alike"
        click.echo(
            f"    {alert['role']:<8} {alert['count']:>5} x {clean(alert['code'])}{_where(alert)}{alike}"
        )
    for each in found["timeline"]:
        because = f" ({clean(each['reason'])})" if each["reason"] else ""
        click.echo(f"  {each['at']}  {clean(each['what'])}{because}")


def _hits(impact: Mapping[str, Any]) -> str:
    if not impact["companies"]:
        return str(impact["tenants"]).lower()
    known = max(impact["companies_known"], len(impact["companies"]))
    return f"{', '.join(map(clean, impact['companies']))} ({len(impact['companies'])} of {known} known)"


def _where(value: dict[str, Any]) -> str:
    parts = [clean(value[name]) for name in ("service", "tenant") if value.get(name)]
    return f"  ({', '.join(parts)})" if parts else ""


@click.command(epilog="Example: firstcause debug 7 --format markdown")
@click.argument("number", metavar="ID")
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@pass_context
def debug(ctx: Context, *, number: str, form: str, as_json: bool) -> None:
    """The debug report, to read or to paste: cause, dependencies, impact, fix, verification."""
    click.echo(ctx.ready_service.debug_as(number, "json" if as_json else form, now()).rstrip("\n"))


@click.command(epilog="Example: firstcause resolve 7 --fix 'put the credentials back'")
@click.argument("number", metavar="ID")
@click.option("--fix", help="What fixed it.")
@json_option
@pass_context
def resolve(ctx: Context, *, number: str, fix: str | None, as_json: bool) -> None:
    """Say that an incident is over; its cascades end with it."""
    found = ctx.ready_service.resolve(number, now(), fix=fix, actor=getpass.getuser())
    show_json(found) if as_json else click.echo(f"incident {found['id']} is resolved")


COMMANDS = (list_incidents, incident, debug, resolve)
