"""incidents, incident, debug, resolve."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, json_option, now, pass_context, show_json, show_table, single_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_MAX_SHOWN = 5


@click.command(name="incidents", epilog="Example: firstcause incidents --status open")
@click.option("--status", type=click.Choice(["open", "resolved", "merged"]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
@pass_context
def list_incidents(ctx: Context, *, status: str | None, limit: int, as_json: bool) -> None:
    """The incidents, newest first."""
    items = ctx.ready_app.incidents.list_incidents(status, limit)
    if as_json:
        show_json({"incidents": items})
    elif not items:
        click.echo("no incidents")
    else:
        rows = [
            (
                item["id"],
                item["status"],
                item["priority"],
                item["root"]["code"],
                item["opened_at"],
                _format_size(item),
                f"(drill) {item['title']}" if item["drill"] else item["title"],
            )
            for item in items
        ]
        show_table(("ID", "STATUS", "PRIO", "ROOT", "OPENED", "ERRORS", "TITLE"), rows)


def _format_size(incident: dict[str, Any]) -> str:
    cascades = len({alert["code"] for alert in incident["alerts"] if alert["role"] == "cascade"})
    return f"{incident['events']} ({cascades} cascade codes)" if cascades else str(incident["events"])


@click.command(epilog="Example: firstcause incident 7")
@click.argument("number", metavar="ID")
@json_option
@pass_context
def incident(ctx: Context, *, number: str, as_json: bool) -> None:
    """One incident: its root, its cascades, what was said and what happened."""
    answer = ctx.ready_app.incidents.get_incident(number)
    show_json(answer) if as_json else show_incident(answer)


def show_incident(answer: dict[str, Any]) -> None:
    """The cause, then how to mend it, then whom it hits, and what happened."""
    click.secho(f"incident {answer['id']}  {answer['status']}  {answer['priority']}", bold=True, nl=False)
    click.echo(f"  {single_line(answer['title'])}")
    root = answer["root"]
    _show_lines("cause", [f"{single_line(root['code'])}{_format_origin(root)}", *_format_cause(answer)])
    _show_lines("fix", _format_fix(answer))
    _show_lines("hits", _format_impact(answer["impact"]))
    _show_lines("since", [_format_times(answer)])
    _show_lines("errors", [f"{answer['events']} in all", *_format_alerts(answer["alerts"])])
    _show_lines(
        "told",
        [_format_notification(notification) for notification in answer["notifications"]] or ["nobody yet"],
    )
    _show_lines("then", [_format_timeline_entry(entry) for entry in answer["timeline"]])


def _show_lines(label: str, lines: Iterable[str]) -> None:
    for index, line in enumerate(lines):
        click.echo(f"  {label if not index else '':<7} {line}")


def _format_cause(answer: Mapping[str, Any]) -> list[str]:
    """The reason that holds, and where its rule stands."""
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
        return [f"was: {single_line(answer['fix'])}"]
    past_fixes = [
        f"before: {single_line(suggestion['fix'])}  ({suggestion['because']})"
        for suggestion in answer["suggestions"]
    ]
    instructions = answer["how_to_fix"]
    if instructions is None:
        hint = f"firstcause debug {answer['id']} has all that is known"
        return [*past_fixes, hint] if past_fixes else [f"nobody wrote one down; {hint}"]
    lines = [f"{index}. {single_line(step)}" for index, step in enumerate(instructions["steps"], 1)]
    return [*lines, *(instructions[name] for name in ("url", "ui_url") if instructions[name]), *past_fixes]


def _format_times(answer: Mapping[str, Any]) -> str:
    until = f" until {answer['resolved_at']}" if answer["resolved_at"] else ""
    acknowledged = (
        f", acknowledged by {single_line(answer['acknowledged_by'])}" if answer["acknowledged_by"] else ""
    )
    quiet = ", nobody is told" if answer["suppressed"] else ""
    return f"{answer['opened_at']}{until}{acknowledged}{quiet}"


def _format_alerts(alerts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One line a code; ids as `split` takes them, where they are few."""
    groups: dict[tuple[str, str, bool], list[Mapping[str, Any]]] = {}
    for alert in alerts:
        groups.setdefault((alert["role"], alert["code"], alert["resolved_at"] is not None), []).append(alert)
    for (role, code, is_resolved), group in groups.items():
        times = sum(alert["count"] for alert in group)
        likeness = group[0]["likeness"]
        similarity = "" if likeness is None else f"  by its words, {likeness:.0%} alike"
        end = "  over" if is_resolved else ""
        origins, ids = _format_origins(group), _format_ids(group)
        yield f"{role:<8} {times:>5} x {single_line(code)}{origins}  {ids}{similarity}{end}"


def _format_ids(group: Sequence[Mapping[str, Any]]) -> str:
    ids = ", ".join(alert["id"] for alert in group[:_MAX_SHOWN])
    suffix = f" and {len(group) - _MAX_SHOWN} more" if len(group) > _MAX_SHOWN else ""
    return f"alert{'s' if len(group) > 1 else ''} {ids}{suffix}"


def _format_origins(group: Iterable[Mapping[str, Any]]) -> str:
    names = dict.fromkeys(
        str(alert[name]) for name in ("service", "tenant") for alert in group if alert[name]
    )
    shown = [single_line(name) for name in list(names)[:_MAX_SHOWN]]
    suffix = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    return f"  ({', '.join(shown)}{suffix})" if shown else ""


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
        shown = ", ".join(map(single_line, impact["companies"][:_MAX_SHOWN]))
        suffix = (
            f" and {len(impact['companies']) - _MAX_SHOWN} more"
            if len(impact["companies"]) > _MAX_SHOWN
            else ""
        )
        lines.append(f"{shown}{suffix} ({len(impact['companies'])} of {known_count} known)")
    elif impact["tenants"] != "NONE":
        lines.append(f"{impact['tenants'].lower()} companies; none has reported it so far")
    if impact["features"]:
        lines.append(", ".join(map(single_line, impact["features"])))
    if impact["revenue"] != "NONE":
        lines.append(f"revenue: {impact['revenue'].lower()}")
    return lines or ["no company named it, and no feature is known to need it"]


def _format_origin(value: dict[str, Any]) -> str:
    parts = [single_line(value[name]) for name in ("service", "tenant") if value.get(name)]
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
    click.echo(
        ctx.ready_app.incidents.render_debug_report(number, "json" if as_json else form, now()).rstrip("\n")
    )


@click.command(epilog="Example: firstcause resolve 7 --fix 'put the credentials back'")
@click.argument("number", metavar="ID")
@click.option("--fix", help="What fixed it.")
@json_option
@pass_context
def resolve(ctx: Context, *, number: str, fix: str | None, as_json: bool) -> None:
    """Say that an incident is over; its cascades end with it."""
    answer = ctx.ready_app.incidents.resolve(number, now(), fix=fix, actor=getpass.getuser())
    show_json(answer) if as_json else click.echo(f"incident {answer['id']} is resolved")


COMMANDS = (list_incidents, incident, debug, resolve)
