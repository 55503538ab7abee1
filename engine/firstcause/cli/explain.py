"""The commands explain and rules explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, echo, json_option, now, pass_context, show_json, single_line
from firstcause.cli.completion import complete_incident
from firstcause.core.text.listing import join_limited

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FIXED_PREFIX = "fixed="


@click.command(epilog="Example: firstcause explain 7 --what-if fixed=TWILIO_API_FAILURE")
@click.argument("number", metavar="ID", required=False, shell_complete=complete_incident)
@click.option(
    "--what-if", metavar="fixed=CODE", help="Show which open alerts would resolve if this error were fixed."
)
@json_option
@pass_context
def explain(ctx: Context, *, number: str | None, what_if: str | None, as_json: bool) -> None:
    """Explain the verdicts on an incident.

    Shows every verdict, the file and line of its rule, and the facts that it matched.
    """
    if what_if is not None:
        _show_what_if(ctx, what_if, as_json=as_json)
        return
    if number is None:
        raise click.UsageError("give the ID of an incident, or --what-if fixed=CODE")
    explanation = ctx.ready_app.incidents.explain(number, now())
    show_json(explanation) if as_json else _show_explanation(explanation)


def _show_what_if(ctx: Context, text: str, *, as_json: bool) -> None:
    if not text.startswith(_FIXED_PREFIX) or text == _FIXED_PREFIX:
        msg = f"--what-if takes fixed=CODE, not {text!r}"
        raise click.UsageError(msg)
    answer = ctx.ready_app.incidents.simulate_fix(text.removeprefix(_FIXED_PREFIX).upper(), now())
    if as_json:
        show_json(answer)
        return
    echo(f"If {single_line(answer['fixed'])} is fixed, {_count_alerts(answer['goes'])} would resolve:")
    for group in answer["goes"]:
        echo(f"  {_format_group(group)}")
    if answer["stays"]:
        echo(f"and {_count_alerts(answer['stays'])} would stay open:")
        for group in answer["stays"]:
            echo(f"  {_format_group(group)}")


def _count_alerts(groups: list[dict[str, Any]]) -> str:
    count = sum(group["alerts"] for group in groups)
    return f"{count} alert{'s' if count != 1 else ''}"


def _format_group(group: Mapping[str, Any]) -> str:
    times = f"{group['alerts']} x " if group["alerts"] > 1 else ""
    return times + single_line(group["code"]) + _format_tenants(group["tenants"])


def _format_tenants(names: list[str], max_names: int = 5) -> str:
    return f" ({join_limited([*map(single_line, names)], max_names)})" if names else ""


def _show_explanation(explanation: dict[str, Any]) -> None:
    root = explanation["root"]
    echo(
        f"incident {explanation['incident']}  {explanation['status']}  {explanation['priority']}",
        bold=True,
        nl=False,
    )
    echo(f"  {single_line(root['code'])}")
    for node in explanation["tree"]:
        for line in _format_node(node):
            echo(line)
    if explanation["suspects"]:
        echo("\nsuspects, by the dependency graph:")
        for suspect in explanation["suspects"]:
            _show_suspect(suspect)
    if explanation["missed"]:
        echo("\nrules that almost matched:")
        for miss in explanation["missed"]:
            _show_miss(miss)


def _show_suspect(suspect: Mapping[str, Any]) -> None:
    echo(f"  {suspect['confidence']:.0%}  {single_line(suspect['component'])}")
    for sign, terms in (("+", suspect["for"]), ("-", suspect["against"])):
        for term in terms:
            echo(f"      {sign} {single_line(term['text'])}")


def _format_node(node: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    times = f"{node['events']} x " if node["events"] > 1 else ""
    code, tenants = single_line(node["code"]), _format_tenants(node["tenants"])
    yield f"{indent}{node['role'].upper()}  {times}{code}{tenants}"
    for verdict in node["verdicts"]:
        yield from _format_verdict(verdict, indent + "  ")
    for child in node["causes"]:
        yield from _format_node(child, indent + "    ")


def _format_verdict(verdict: Mapping[str, Any], indent: str) -> Iterator[str]:
    overruled = "" if verdict["holds"] else ", overruled"
    confidence = f" {verdict['confidence']:.0%}" if verdict["verdict"] in {"root_cause", "cascade"} else ""
    yield f"{indent}{verdict['verdict']}{confidence}{overruled}: {single_line(verdict['because'])}"
    origin = (
        f"by {verdict['rule']}  {verdict['file']}:{verdict['line']}" if verdict["file"] else verdict["rule"]
    )
    yield f"{indent}  {origin}"
    for name, fact in verdict["facts"].items():
        yield f"{indent}  from {_format_fact(name, fact)}"
    for source in verdict["from"]:
        yield from _format_verdict(source, indent + "    ")


def _format_fact(name: str, fact: Mapping[str, Any]) -> str:
    fields = ", ".join(
        f"{key} {single_line(_format_value(value))}" for key, value in fact.items() if key != "kind"
    )
    kind = "" if fact["kind"] == name else f" ({fact['kind']})"
    return f"{name}{kind}: {fields}"


def _format_value(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _show_miss(miss: Mapping[str, Any]) -> None:
    echo(f"  {miss['rule']}  {miss['file']}:{miss['line']}")
    for failed in miss["failed"]:
        echo(f"    {single_line(failed['text'])}")


@click.command(name="explain", epilog="Example: firstcause rules explain twilio-credentials-missing")
@click.argument("name", metavar="RULE")
@json_option
@pass_context
def explain_rule(ctx: Context, *, name: str, as_json: bool) -> None:
    """Explain whether a rule fires now.

    Shows the open alerts that it fires on, or the conditions that fail and by how much.
    """
    explanation = ctx.ready_app.incidents.explain_rule(name, now())
    if as_json:
        show_json(explanation)
        return
    echo(
        f"{explanation['rule']}  {explanation['file']}:{explanation['line']}\n"
        f"  {single_line(explanation['about'])}"
    )
    for firing in explanation["fires"]:
        echo(
            f"  fires: {firing['verdict']} of {single_line(firing['code'])}: {single_line(firing['because'])}"
        )
    if explanation["nearest"]:
        echo("  does not fire; the nearest facts:")
        for fact_name, fact in explanation["nearest"]["facts"].items():
            echo(f"    {_format_fact(fact_name, fact)}")
        for failed in explanation["nearest"]["failed"]:
            echo(f"    {single_line(failed['text'])}")


COMMANDS = (explain,)
