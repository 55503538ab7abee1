"""Commands for incidents: incidents, incident, debug, resolve."""

from __future__ import annotations

import getpass
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
from firstcause.cli.completion import complete_incident
from firstcause.core.incidents.alert_parts import format_labels
from firstcause.core.text.listing import join_limited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_MAX_SHOWN = 5


@click.command(name="incidents", epilog="Example: firstcause incidents --status open")
@click.option(
    "--status",
    type=click.Choice(["open", "resolved", "merged"]),
    help="Show only incidents with this status.",
)
@click.option("--priority", type=click.Choice(["P0", "P1", "P2"], case_sensitive=False))
@click.option("--service", default="", help="Show only those of this service or component.")
@click.option("--tenant", default="", help="Show only those that hit this company.")
@click.option(
    "--state",
    type=click.Choice(["new", "acknowledged", "silenced", "flapping"]),
    help="Show only those in this state.",
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Show at most so many."
)
@click.argument("text", nargs=-1)
@json_option
@pass_context
def list_incidents(
    ctx: Context, /, *, text: tuple[str, ...], limit: int, as_json: bool, **chosen: Any
) -> None:
    """List incidents: open ones first, by priority, then the newest.

    With TEXT, only those whose title, code, service or company has every word of it.
    """
    from firstcause.core.incidents.incident_filter import IncidentFilter

    status = chosen.pop("status")
    wanted = IncidentFilter.model_validate(chosen | {"text": " ".join(text)})
    answer = ctx.ready_app.incidents.search_incidents(wanted, status, limit)
    if as_json:
        show_json(answer)
        return
    items = answer["incidents"]
    if not items:
        echo(f"no incidents in {ctx.app.database.display_url}" + (" match" if not wanted.is_empty else ""))
        return
    rows = [
        (
            item["id"],
            item["status"],
            item["priority"],
            item["opened_at"][:16].replace("T", " "),
            item["events"],
            _format_title(item),
        )
        for item in items
    ]
    show_table(("ID", "STATUS", "PRIO", "OPENED (UTC)", "ERRORS", "CAUSE"), rows)
    counts = ", ".join(f"{count} {priority}" for priority, count in answer["by_priority"].items())
    shown = f"{len(items)} of {answer['total']} incidents"
    echo(f"\n{shown}; open: {counts or 'none'}")


def _format_title(item: dict[str, Any]) -> str:
    effects = len({alert["code"] for alert in item["alerts"] if alert["role"] == "cascade"})
    cascades = f" (+{effects} effect{'' if effects == 1 else 's'})" if effects else ""
    place = next((f" in {item['root'][name]}" for name in ("service", "tenant") if item["root"][name]), "")
    return f"{'(drill) ' if item['drill'] else ''}{item['root']['code']}{place}: {item['title']}{cascades}"


@click.command(epilog="Example: firstcause incident 7")
@click.argument("number", metavar="ID", shell_complete=complete_incident)
@json_option
@pass_context
def incident(ctx: Context, *, number: str, as_json: bool) -> None:
    """Show one incident.

    Shows the cause, fix, impact, errors, notifications and timeline.
    """
    answer = ctx.ready_app.incidents.get_incident(number)
    show_json(answer) if as_json else show_incident(answer)


def show_incident(answer: dict[str, Any]) -> None:
    """Print an incident: the cause, the fix, the impact, then what happened."""
    echo(f"incident {answer['id']}  {answer['status']}  {answer['priority']}", bold=True, nl=False)
    echo(f"  {single_line(answer['title'])}")
    root = answer["root"]
    _show_lines("cause", [f"{single_line(root['code'])}{_format_origin(root)}", *_format_cause(answer)])
    _show_lines("fix", _format_fix(answer))
    _show_lines("impact", _format_impact(answer["impact"]))
    _show_lines("opened", [_format_times(answer)])
    _show_lines("errors", [f"{answer['events']} in all", *_format_alerts(answer["alerts"])])
    _show_lines(
        "notified",
        [_format_notification(notification) for notification in answer["notifications"]] or ["nobody yet"],
    )
    _show_lines("timeline", [_format_timeline_entry(entry) for entry in answer["timeline"]])


def _show_lines(label: str, lines: Iterable[str]) -> None:
    for index, line in enumerate(lines):
        echo(f"  {label if not index else '':<8} {line}")


def _format_cause(answer: Mapping[str, Any]) -> list[str]:
    """Format the reason of the root cause and the location of its rule."""
    verdicts = [
        verdict
        for verdict in answer["verdicts"]
        if verdict["verdict"] == "root_cause" and verdict["code"] == answer["root"]["code"]
    ]
    if not verdicts:
        return []
    best = verdicts[0]
    origin = f"{best['file']}:{best['line']}" if best["file"] else best["rule"]
    return [f"{single_line(best['because'])}  [{origin}]"]


def _format_fix(answer: Mapping[str, Any]) -> list[str]:
    if answer["fix"]:
        return [f"applied: {single_line(answer['fix'])}"]
    past_fixes = [
        f"past fix: {single_line(suggestion['fix'])}  ({suggestion['because']})"
        for suggestion in answer["suggestions"]
    ]
    instructions = answer["how_to_fix"]
    if instructions is None:
        hint = f"see `firstcause debug {answer['id']}`"
        return [*past_fixes, hint] if past_fixes else [f"not known; {hint}"]
    lines = [f"{index}. {single_line(step)}" for index, step in enumerate(instructions["steps"], 1)]
    return [*lines, *(instructions[name] for name in ("url", "ui_url") if instructions[name]), *past_fixes]


def _format_times(answer: Mapping[str, Any]) -> str:
    until = f" until {answer['resolved_at']}" if answer["resolved_at"] else ""
    acknowledged = (
        f", acknowledged by {single_line(answer['acknowledged_by'])}" if answer["acknowledged_by"] else ""
    )
    quiet = ", notifications are muted" if answer["suppressed"] else ""
    flaps = "flapped" if answer["resolved_at"] else "flapping:"
    flapping = f", {flaps} {answer['flapping']['text']}" if answer["flapping"] else ""
    return f"{answer['opened_at']}{until}{flapping}{acknowledged}{quiet}"


def _format_alerts(alerts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Format one line a code, with the first alert ids, which `split` takes."""
    groups: dict[tuple[str, str, bool], list[Mapping[str, Any]]] = {}
    for alert in alerts:
        groups.setdefault((alert["role"], alert["code"], alert["resolved_at"] is not None), []).append(alert)
    for (role, code, is_resolved), group in groups.items():
        times = sum(alert["count"] for alert in group)
        likeness = group[0]["likeness"]
        similarity = "" if likeness is None else f"  matched by words, {likeness:.0%}"
        end = "  resolved" if is_resolved else ""
        origins, ids = _format_origins(group), _format_ids(group)
        yield f"{role:<8} {times:>5} x {single_line(code)}{origins}  {ids}{similarity}{end}"
        if parts := list(_list_part_names(group)):
            further = sum(alert["further_parts"] for alert in group)
            names = join_limited(parts, _MAX_SHOWN, further)
            yield f"{'':<16} {'ended' if is_resolved else 'active'}: {names}"


def _list_part_names(group: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """List the active parts, or of ended alerts all parts; nothing where alerts have one part."""
    for alert in group:
        if len(alert["parts"]) + alert["further_parts"] > 1:
            for part in alert["parts"]:
                if part["resolved_at"] is None or alert["resolved_at"] is not None:
                    yield single_line(format_labels(part["labels"]))


def _format_ids(group: Sequence[Mapping[str, Any]]) -> str:
    ids = [alert["id"] for alert in group]
    return f"alert{'s' if len(ids) > 1 else ''} {join_limited(ids, _MAX_SHOWN)}"


def _format_origins(group: Iterable[Mapping[str, Any]]) -> str:
    names = dict.fromkeys(
        single_line(alert[name]) for name in ("service", "tenant") for alert in group if alert[name]
    )
    return f"  ({join_limited(names, _MAX_SHOWN)})" if names else ""


def _format_notification(notification: Mapping[str, Any]) -> str:
    text = single_line(notification["text"] if notification["status"] == "sent" else notification["error"])
    return f"{notification['at']}  {single_line(notification['notifier'])} {notification['status']}: {text}"


def _format_timeline_entry(entry: Mapping[str, Any]) -> str:
    by = "" if entry["actor"] == "firstcause" else f" by {single_line(entry['actor'])}"
    because = f" ({single_line(entry['reason'])})" if entry["reason"] else ""
    return f"{entry['at']}  {single_line(entry['what'])}{by}{because}"


def _format_impact(impact: Mapping[str, Any]) -> list[str]:
    lines = []
    if impact["companies"]:
        known_count = max(impact["companies_known"], len(impact["companies"]))
        companies = join_limited([*map(single_line, impact["companies"])], _MAX_SHOWN)
        lines.append(f"{companies} ({len(impact['companies'])} of {known_count} known)")
    elif impact["tenants"] != "NONE":
        lines.append(f"{impact['tenants'].lower()} companies; none has reported an error so far")
    if impact["features"]:
        lines.append(", ".join(map(single_line, impact["features"])))
    if impact["revenue"] != "NONE":
        lines.append(f"revenue: {impact['revenue'].lower()}")
    return lines or ["no company or feature known"]


def _format_origin(value: dict[str, Any]) -> str:
    parts = [single_line(value[name]) for name in ("service", "tenant") if value.get(name)]
    return f"  ({', '.join(parts)})" if parts else ""


@click.command(epilog="Example: firstcause debug 7 --format markdown")
@click.argument("number", metavar="ID", shell_complete=complete_incident)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="Output format.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as --format json does.")
@pass_context
def debug(ctx: Context, *, number: str, form: str, as_json: bool) -> None:
    """Print the full report of an incident.

    The report has the cause, dependencies, impact, fix and verification, to read or to paste into a ticket.
    """
    echo(ctx.ready_app.incidents.render_debug_report(number, "json" if as_json else form, now()).rstrip("\n"))


@click.command(epilog="Example: firstcause resolve 7 --fix 'put the credentials back'")
@click.argument("number", metavar="ID", shell_complete=complete_incident)
@click.option("--fix", help="Record what fixed it; suggested when the same cause returns.")
@json_option
@pass_context
def resolve(ctx: Context, *, number: str, fix: str | None, as_json: bool) -> None:
    """Resolve an incident and its cascades."""
    answer = ctx.ready_app.incidents.resolve(number, now(), fix=fix, actor=getpass.getuser())
    show_json(answer) if as_json else echo(f"incident {answer['id']} is resolved")


COMMANDS = (list_incidents, incident, debug, resolve)
