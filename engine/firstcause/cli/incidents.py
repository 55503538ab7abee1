"""incidents, incident, debug, resolve."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, clean, json_option, now, pass_context, show_json, show_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_SHOWN = 5


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
    """The cause, then how to mend it, then whom it hits, and what happened."""
    click.secho(f"incident {found['id']}  {found['status']}  {found['priority']}", bold=True, nl=False)
    click.echo(f"  {clean(found['title'])}")
    root = found["root"]
    _show("cause", [f"{clean(root['code'])}{_where(root)}", *_because(found)])
    _show("fix", _fix(found))
    _show("hits", _hits(found["impact"]))
    _show("since", [_since(found)])
    _show("errors", [f"{found['events']} in all", *_alerts(found["alerts"])])
    _show("told", [_told(each) for each in found["notifications"]] or ["nobody yet"])
    _show("then", [_happened(each) for each in found["timeline"]])


def _show(label: str, lines: Iterable[str]) -> None:
    for at, line in enumerate(lines):
        click.echo(f"  {label if not at else '':<7} {line}")


def _because(found: Mapping[str, Any]) -> list[str]:
    """The reason that holds, and where its rule stands."""
    said = [
        each
        for each in found["verdicts"]
        if each["verdict"] == "root_cause" and each["code"] == found["root"]["code"]
    ]
    if not said:
        return []
    best = said[0]
    place = f"{best['file']}:{best['line']}" if best["file"] else best["rule"]
    return [f"{clean(best['because'])}  [{place}]"]


def _fix(found: Mapping[str, Any]) -> list[str]:
    if found["fix"]:
        return [f"was: {clean(found['fix'])}"]
    before = [f"before: {clean(each['fix'])}  ({each['because']})" for each in found["suggestions"]]
    known = found["how_to_fix"]
    if known is None:
        more = f"firstcause debug {found['id']} has all that is known"
        return [*before, more] if before else [f"nobody wrote one down; {more}"]
    lines = [f"{at}. {clean(step)}" for at, step in enumerate(known["steps"], 1)]
    return [*lines, *(known[name] for name in ("url", "ui_url") if known[name]), *before]


def _since(found: Mapping[str, Any]) -> str:
    until = f" until {found['resolved_at']}" if found["resolved_at"] else ""
    taken = f", acknowledged by {clean(found['acknowledged_by'])}" if found["acknowledged_by"] else ""
    quiet = ", nobody is told" if found["suppressed"] else ""
    return f"{found['opened_at']}{until}{taken}{quiet}"


def _alerts(alerts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One line a code; ids as `split` takes them, where they are few."""
    alike: dict[tuple[str, str, bool], list[Mapping[str, Any]]] = {}
    for each in alerts:
        alike.setdefault((each["role"], each["code"], each["resolved_at"] is not None), []).append(each)
    for (role, code, over), group in alike.items():
        times = sum(each["count"] for each in group)
        likeness = group[0]["likeness"]
        words = "" if likeness is None else f"  by its words, {likeness:.0%} alike"
        end = "  over" if over else ""
        yield f"{role:<8} {times:>5} x {clean(code)}{_places(group)}  {_ids(group)}{words}{end}"


def _ids(group: Sequence[Mapping[str, Any]]) -> str:
    ids = ", ".join(each["id"] for each in group[:_SHOWN])
    more = f" and {len(group) - _SHOWN} more" if len(group) > _SHOWN else ""
    return f"alert{'s' if len(group) > 1 else ''} {ids}{more}"


def _places(group: Iterable[Mapping[str, Any]]) -> str:
    names = dict.fromkeys(str(each[name]) for name in ("service", "tenant") for each in group if each[name])
    shown = [clean(name) for name in list(names)[:_SHOWN]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"  ({', '.join(shown)}{more})" if shown else ""


def _told(each: Mapping[str, Any]) -> str:
    said = clean(each["text"] if each["status"] == "sent" else each["error"])
    return f"{each['at']}  {clean(each['notifier'])} {each['status']}: {said}"


def _happened(each: Mapping[str, Any]) -> str:
    by = "" if each["actor"] == "firstcause" else f" by {clean(each['actor'])}"
    because = f" ({clean(each['reason'])})" if each["reason"] else ""
    return f"{each['at']}  {clean(each['what'])}{by}{because}"


def _hits(impact: Mapping[str, Any]) -> list[str]:
    lines = []
    if impact["companies"]:
        known = max(impact["companies_known"], len(impact["companies"]))
        shown = ", ".join(map(clean, impact["companies"][:_SHOWN]))
        more = f" and {len(impact['companies']) - _SHOWN} more" if len(impact["companies"]) > _SHOWN else ""
        lines.append(f"{shown}{more} ({len(impact['companies'])} of {known} known)")
    elif impact["tenants"] != "NONE":
        lines.append(f"{impact['tenants'].lower()} companies; none has reported it so far")
    if impact["features"]:
        lines.append(", ".join(map(clean, impact["features"])))
    if impact["revenue"] != "NONE":
        lines.append(f"revenue: {impact['revenue'].lower()}")
    return lines or ["no company named it, and no feature is known to need it"]


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
