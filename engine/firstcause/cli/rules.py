"""rules check, test, schema."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, clean, json_option, pass_context, show_json, show_table
from firstcause.cli.explain import explain_rule
from firstcause.errors import RuleFileError

if TYPE_CHECKING:
    from firstcause.service.ruletests import Result


@click.group()
def rules() -> None:
    """The rule files: catalog entries and rules."""


@rules.command(epilog="Example: firstcause rules check")
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
@pass_context
def check(ctx: Context, *, folders: tuple[Path, ...], as_json: bool) -> None:
    """Read every rule file, of the configuration or of FOLDERS, and name every mistake. Exit 1 on any."""
    from firstcause.rulefiles.load import load

    try:
        book = load(list(folders) or ctx.service.rule_folders, ctx.settings.rules.thresholds)
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


@rules.command(epilog="Example: firstcause rules test --only twilio")
@click.argument("folders", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--only", metavar="TEXT", help="Only tests with this in their name or their file's.")
@json_option
@pass_context
def test(ctx: Context, *, folders: tuple[Path, ...], only: str | None, as_json: bool) -> None:
    """Play the tests in the rule files, of the configuration or of FOLDERS. Exit 1 where one fails.

    They go through the same pipeline as real errors, on a store in memory and with a clock of their own.
    """
    from firstcause.service.knowledge import learn
    from firstcause.service.ruletests import run

    knowledge = learn(list(folders) or ctx.service.rule_folders, ctx.settings.rules.thresholds)
    tests = [each for each in knowledge.book.tests if only is None or only in f"{each.file} {each.test.name}"]
    results = []
    for result in run(knowledge, tests):
        results.append(result)
        if not as_json and not result.passed:
            _show_failure(result)
    failed = sum(not result.passed for result in results)
    if as_json:
        show_json({"tests": [_answer(result) for result in results], "failed": failed})
    else:
        click.echo(f"{len(results)} tests, {failed or 'none'} failed")
    knowledge.close()
    click.get_current_context().exit(1 if failed else 0)


@rules.command(epilog="Example: firstcause rules schema > rules/schema.json")
def schema() -> None:
    """The JSON Schema of rule files: editors that are given it complete and check while you type."""
    from firstcause.rulefiles.schema import schema_text

    click.echo(schema_text(), nl=False)


def _show_failure(result: Result) -> None:
    click.secho(f"FAILED {result.test.file}:{result.test.line}: {clean(result.test.test.name)}", fg="red")
    rows = [(each.field, each.expected, each.got) for each in result.differences]
    show_table(("  WHAT", "EXPECTED", "GOT"), [(f"  {what}", *rest) for what, *rest in rows])
    for line in result.why:
        click.echo(f"    {clean(line)}")


def _answer(result: Result) -> dict[str, Any]:
    return {
        "name": result.test.test.name,
        "file": result.test.file,
        "line": result.test.line,
        "passed": result.passed,
        "differences": [dataclasses.asdict(each) for each in result.differences],
        "why": list(result.why),
    }


rules.add_command(explain_rule)

COMMANDS = (rules,)
