"""explain, rules explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, clean, json_option, now, pass_context, show_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FIXED = "fixed="


@click.command(epilog="Example: firstcause explain 7 --what-if fixed=TWILIO_API_FAILURE")
@click.argument("number", metavar="ID", required=False)
@click.option("--what-if", metavar="fixed=CODE", help="Which open alerts would go if that error were mended.")
@json_option
@pass_context
def explain(ctx: Context, *, number: str | None, what_if: str | None, as_json: bool) -> None:
    """Why an incident is what it is: every verdict, its rule's file and line, and the facts it matched."""
    if what_if is not None:
        _what_if(ctx, what_if, as_json=as_json)
        return
    if number is None:
        raise click.UsageError("give the ID of an incident, or --what-if fixed=CODE")
    found = ctx.ready_service.explain(number, now())
    show_json(found) if as_json else _show(found)


def _what_if(ctx: Context, written: str, *, as_json: bool) -> None:
    if not written.startswith(_FIXED) or written == _FIXED:
        msg = f"--what-if takes fixed=CODE, not {written!r}"
        raise click.UsageError(msg)
    found = ctx.ready_service.what_if(written.removeprefix(_FIXED).upper(), now())
    if as_json:
        show_json(found)
        return
    click.echo(f"If {found['fixed']} is mended, {_sum(found['goes'])} go:")
    for one in found["goes"]:
        click.echo(f"  {_counted(one)}")
    if found["stays"]:
        click.echo(f"and {_sum(found['stays'])} stay:")
        for one in found["stays"]:
            click.echo(f"  {_counted(one)}")


def _sum(counted: list[dict[str, Any]]) -> str:
    number = sum(one["alerts"] for one in counted)
    return f"{number} alert{'s' if number != 1 else ''}"


def _counted(one: Mapping[str, Any]) -> str:
    times = f"{one['alerts']} x " if one["alerts"] > 1 else ""
    return times + clean(one["code"]) + _tenants(one["tenants"])


def _tenants(names: list[str], most: int = 5) -> str:
    if not names:
        return ""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f" ({', '.join(map(clean, names[:most]))}{more})"


def _show(found: dict[str, Any]) -> None:
    root = found["root"]
    click.secho(f"incident {found['incident']}  {found['status']}  {found['priority']}", bold=True, nl=False)
    click.echo(f"  {clean(root['code'])}")
    for node in found["tree"]:
        for line in _node(node):
            click.echo(line)
    if found["suspects"]:
        click.echo("\nwho may be the root, by the graph of components:")
        for suspect in found["suspects"]:
            _show_suspect(suspect)
    if found["missed"]:
        click.echo("\nrules that came near and did not fire:")
        for miss in found["missed"]:
            _show_miss(miss)


def _show_suspect(suspect: Mapping[str, Any]) -> None:
    click.echo(f"  {suspect['confidence']:.0%}  {clean(suspect['component'])}")
    for sign, grounds in (("+", suspect["for"]), ("-", suspect["against"])):
        for ground in grounds:
            click.echo(f"      {sign} {clean(ground['text'])}")


def _node(node: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    number = f"{node['events']} x " if node["events"] > 1 else ""
    yield f"{indent}{node['role'].upper()}  {number}{clean(node['code'])}{_tenants(node['tenants'])}"
    for verdict in node["verdicts"]:
        yield from _verdict(verdict, indent + "  ")
    for child in node["causes"]:
        yield from _node(child, indent + "    ")


def _verdict(verdict: Mapping[str, Any], indent: str) -> Iterator[str]:
    held = "" if verdict["holds"] else ", overruled"
    sure = f" {verdict['confidence']:.0%}" if verdict["verdict"] in {"root_cause", "cascade"} else ""
    yield f"{indent}{verdict['verdict']}{sure}{held}: {clean(verdict['because'])}"
    place = (
        f"by {verdict['rule']}  {verdict['file']}:{verdict['line']}" if verdict["file"] else verdict["rule"]
    )
    yield f"{indent}  {place}"
    for name, fact in verdict["facts"].items():
        yield f"{indent}  from {_fact(name, fact)}"
    for other in verdict["from"]:
        yield from _verdict(other, indent + "    ")


def _fact(name: str, fact: Mapping[str, Any]) -> str:
    fields = ", ".join(f"{key} {clean(_value(value))}" for key, value in fact.items() if key != "kind")
    kind = "" if fact["kind"] == name else f" ({fact['kind']})"
    return f"{name}{kind}: {fields}"


def _value(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _show_miss(miss: Mapping[str, Any]) -> None:
    click.echo(f"  {miss['rule']}  {miss['file']}:{miss['line']}")
    for failed in miss["failed"]:
        click.echo(f"    {clean(failed['text'])}")


@click.command(name="explain", epilog="Example: firstcause rules explain twilio-credentials-missing")
@click.argument("name", metavar="RULE")
@json_option
@pass_context
def explain_rule(ctx: Context, *, name: str, as_json: bool) -> None:
    """Whether a rule fires on what is open now, on what, and else which condition fails and by how much."""
    found = ctx.ready_service.explain_rule(name, now())
    if as_json:
        show_json(found)
        return
    click.echo(f"{found['rule']}  {found['file']}:{found['line']}\n  {clean(found['about'])}")
    for one in found["fires"]:
        click.echo(f"  fires: {one['verdict']} of {clean(one['code'])}: {clean(one['because'])}")
    if found["nearest"]:
        click.echo("  does not fire; nearest to it:")
        for name_, fact in found["nearest"]["facts"].items():
            click.echo(f"    {_fact(name_, fact)}")
        for failed in found["nearest"]["failed"]:
            click.echo(f"    {clean(failed['text'])}")


COMMANDS = (explain,)
