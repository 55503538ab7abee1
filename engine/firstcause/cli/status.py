"""The command status."""

from __future__ import annotations

from typing import Any

import click

from firstcause.cli.common import Context, echo, json_option, pass_context, show_json, single_line
from firstcause.cli.conditions import fetch_status, has_failure, show_conditions
from firstcause.core.text.listing import join_limited

_MAX_SHOWN_REASONS = 3


@click.command(epilog="Example: firstcause status")
@json_option
@pass_context
def status(ctx: Context, *, as_json: bool) -> None:
    """Show the state of the running daemon. Exit 1 if something is wrong with firstcause itself."""
    answer = fetch_status(ctx.settings)
    if as_json:
        show_json(answer)
    else:
        if "store" in answer:
            _show_status(answer)
        else:
            echo("firstcause is running, but its store does not answer")
        show_conditions(answer["conditions"])
    click.get_current_context().exit(1 if has_failure(answer["conditions"]) else 0)


def _show_status(answer: dict[str, Any]) -> None:
    from firstcause.core.text.sizes import format_size

    rules, store = answer["rules"], answer["store"]
    echo(f"firstcause {answer['version']} is running; health {answer['health']}")
    opened = ", ".join(f"{count} {priority}" for priority, count in answer["incidents"].items())
    echo(f"incidents  {opened or 'none open'}")
    waiting = f"{store['waiting']} events and {store['unsent']} messages pending"
    echo(f"store      {single_line(store['url'])}, {format_size(store['bytes'])}; {waiting}")
    echo(f"intake     {_format_intake(answer['intake'])}")
    echo(f"rules      {rules['rules']} rules, {rules['entries']} catalog entries, {rules['files']} files")


def _format_intake(intake: dict[str, Any]) -> str:
    """Format how many events were accepted since the start, and what was not, with the reasons."""
    parts = [f"{sum(intake['accepted'].values())} events since the start"]
    for name, words in (
        ("rejected", "rejected"),
        ("passed", "ignored as no errors"),
        ("lost_by_senders", "dropped by senders"),
    ):
        counts = {
            f"{format_name} {reason}": count
            for format_name, by_reason in intake[name].items()
            for reason, count in by_reason.items()
        }
        frequent = sorted(counts, key=lambda reason: (-counts[reason], reason))
        reasons = join_limited([f"{reason} {counts[reason]}" for reason in frequent], _MAX_SHOWN_REASONS)
        if counts or name == "rejected":
            parts.append(f"{sum(counts.values())} {words}" + (f" ({reasons})" if reasons else ""))
    return "; ".join(parts)


COMMANDS = (status,)
