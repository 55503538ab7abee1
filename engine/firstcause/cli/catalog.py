"""catalog list, catalog show."""

from __future__ import annotations

import difflib

import click

from firstcause.cli.common import Context, json_option, pass_context, show_json, show_table
from firstcause.errors import NotFoundError


@click.group()
def catalog() -> None:
    """The known errors and how to fix them."""


@catalog.command(name="list", epilog="Example: firstcause catalog list --json")
@json_option
@pass_context
def list_entries(ctx: Context, *, as_json: bool) -> None:
    """All known errors."""
    from firstcause.service.answers import entry_answer

    entries = ctx.service.catalog.entries.values()
    if as_json:
        show_json({"entries": [entry_answer(entry) for entry in entries]})
    else:
        rows = [(one.code, one.severity, one.impact.priority, one.component, one.title) for one in entries]
        show_table(("CODE", "SEVERITY", "PRIO", "COMPONENT", "TITLE"), rows)


@catalog.command(name="show", epilog="Example: firstcause catalog show TWILIO_API_FAILURE")
@click.argument("code")
@json_option
@pass_context
def show_entry(ctx: Context, *, code: str, as_json: bool) -> None:
    """One known error, with every field."""
    import yaml

    from firstcause.service.answers import entry_answer

    entry = ctx.service.catalog.get(code.upper())
    if entry is None:
        near = difflib.get_close_matches(code.upper(), ctx.service.catalog.entries, 1)
        hint = f"; did you mean {near[0]}?" if near else "; `firstcause catalog list` has them all"
        msg = f"no catalog entry {code}{hint}"
        raise NotFoundError(msg)
    answer = entry_answer(entry)
    show_json(answer) if as_json else click.echo(
        yaml.safe_dump(answer, sort_keys=False, allow_unicode=True).rstrip()
    )


COMMANDS = (catalog,)
