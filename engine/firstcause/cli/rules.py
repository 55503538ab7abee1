"""rules check."""

from __future__ import annotations

from pathlib import Path

import click

from firstcause.cli.common import Context, json_option, pass_context, show_json
from firstcause.errors import RuleFileError
from firstcause.rulefiles.load import load
from firstcause.service.knowledge import rule_folders


@click.group()
def rules() -> None:
    """The rule files: catalog entries and rules."""


@rules.command(epilog="Example: firstcause rules check")
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
@pass_context
def check(ctx: Context, *, folders: tuple[Path, ...], as_json: bool) -> None:
    """Read every rule file, of the configuration or of FOLDERS, and name every mistake. Exit 1 on any."""
    try:
        book = load(list(folders) or rule_folders(ctx.settings, ctx.service.host.rule_folders()))
    except RuleFileError as error:
        if as_json:
            show_json({"mistakes": [vars(each) for each in error.mistakes]})
        else:
            click.echo(str(error), err=True)
            click.echo(f"{len(error.mistakes)} mistakes", err=True)
        click.get_current_context().exit(1)
    if as_json:
        show_json({"mistakes": []})
    else:
        entries = len(book.catalog.entries)
        click.echo(f"{len(book.files)} files, {entries} entries, {len(book.rules)} rules: no mistakes")


COMMANDS = (rules,)
