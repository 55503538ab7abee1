"""rules check, test, backtest, schema."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import (
    Context,
    clean,
    json_option,
    now,
    pass_context,
    show_json,
    show_table,
    since_of,
)
from firstcause.cli.explain import explain_rule
from firstcause.errors import RuleFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause.errors import Mistake
    from firstcause.simulation.rule_tests import Result


@click.group()
def rules() -> None:
    """The rule files: catalog entries and rules."""


@dataclasses.dataclass(frozen=True)
class _Chosen:
    """Which files to read. whole: all of the configuration's. within: what is asked about, () for all."""

    folders: Sequence[Path]
    whole: bool = True
    within: Sequence[Path] = ()

    def asks(self, path: Path) -> bool:
        return not self.within or any(path.resolve().is_relative_to(each) for each in self.within)


def _chosen(ctx: Context, named: Sequence[str]) -> _Chosen:
    """What stands in the configuration's folders is read with all of them, anything else by itself."""
    from firstcause.rulebase.rulebase import SHIPPED, rule_folder

    configured = ctx.service.rule_folders
    if not named:
        return _Chosen(configured)
    paths = [rule_folder(ctx.settings, each) if each == SHIPPED else Path(each).resolve() for each in named]
    for path in paths:
        if not path.exists():
            msg = f"no such file or folder: {path}"
            raise click.UsageError(msg)
    inside = all(any(path.is_relative_to(each.resolve()) for each in configured) for path in paths)
    return _Chosen(configured, within=paths) if inside else _Chosen(paths, whole=False)


_paths = click.argument("paths", nargs=-1, metavar="[PATH]...")


@rules.command(epilog="Example: firstcause rules check")
@_paths
@json_option
@pass_context
def check(ctx: Context, *, paths: tuple[str, ...], as_json: bool) -> None:
    """Read every rule file of the configuration, or PATH, and name every mistake. Exit 1 on any.

    A PATH within the configuration's folders is read with all of them; any other by itself.
    """
    from firstcause.rulefiles.load import load

    chosen = _chosen(ctx, paths)
    try:
        book = load(chosen.folders, ctx.settings.rules.thresholds, whole=chosen.whole)
    except RuleFileError as error:
        _show_mistakes([each for each in error.mistakes if chosen.asks(Path(each.path))], as_json=as_json)
        return
    if as_json:
        show_json({"mistakes": []})
    else:
        entries = len(book.catalog.entries)
        click.echo(f"{len(book.files)} files, {entries} entries, {len(book.rules)} rules: no mistakes")


def _show_mistakes(mistakes: Sequence[Mistake], *, as_json: bool) -> None:
    if as_json:
        show_json({"mistakes": [vars(each) for each in mistakes]})
    else:
        for each in mistakes:
            click.echo(str(each), err=True)
        click.echo(f"{len(mistakes) or 'no'} mistake{'' if len(mistakes) == 1 else 's'}", err=True)
    click.get_current_context().exit(1 if mistakes else 0)


@rules.command(epilog="Example: firstcause rules test --only twilio")
@_paths
@click.option("--only", metavar="TEXT", help="Only tests with this in their name or their file's.")
@json_option
@pass_context
def test(ctx: Context, *, paths: tuple[str, ...], only: str | None, as_json: bool) -> None:
    """Play the tests in the rule files of the configuration, or in PATH. Exit 1 where one fails.

    They go through the same pipeline as real errors, on a store in memory and with a clock of their own.
    """
    from firstcause.rulebase.rulebase import learn
    from firstcause.simulation.rule_tests import run

    chosen = _chosen(ctx, paths)
    knowledge = learn(chosen.folders, ctx.settings.rules.thresholds, whole=chosen.whole)
    asked = [each for each in knowledge.book.tests if chosen.asks(each.path)]
    results = []
    for result in run(knowledge, [each for each in asked if (only or "") in f"{each.file} {each.test.name}"]):
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


@rules.command(epilog="Example: firstcause rules backtest shipped ./edited --since 7d --strict")
@_paths
@click.option("--since", metavar="WHEN", default="30d", show_default=True, help="A duration or a time.")
@click.option("--strict", is_flag=True, help="Exit 1 where anything would differ.")
@json_option
@pass_context
def backtest(ctx: Context, *, paths: tuple[str, ...], since: str, strict: bool, as_json: bool) -> None:
    """Play the stored history by the rule files as they are now, or by those in PATH: what would differ?

    The word `shipped` stands for the files that come along.
    """
    from firstcause.rulebase.rulebase import learn
    from firstcause.simulation.backtest import backtest as play

    at, service = now(), ctx.ready_service
    begin = since_of(since, at)
    chosen = _chosen(ctx, paths)
    settings = ctx.settings
    knowledge = learn(
        chosen.folders,
        settings.rules.thresholds,
        whole=chosen.whole,
        depends_on=settings.topology.depends_on,
    )
    try:
        report = play(service.database, knowledge, settings.notify.group_wait, begin, at)
    finally:
        knowledge.close()
    if as_json:
        show_json(dataclasses.asdict(report))
    else:
        for each in report.differences:
            _show_difference(each)
        differ = f"{len(report.differences) or 'none'} would differ"
        click.echo(f"{report.events} events, {report.incidents} incidents since {since}: {differ}")
    click.get_current_context().exit(1 if strict and report.differences else 0)


_HEADS = {
    "differs": "incident {incident}",
    "lost": "incident {incident} would not be",
    "gained": "there would be a new incident",
}


def _show_difference(each: dict[str, Any]) -> None:
    head = _HEADS[each["change"]].format(**each)
    click.secho(f"{head}  {each['opened_at']}  {each['priority']}  {clean(each['root'])}", bold=True)
    if each["change"] != "differs":
        told = ", ".join(each["said"] or []) or "nobody told"
        click.echo(f"  {each['events']} events, {told}")
    for what, change in each["changes"].items():
        if "was" in change:
            click.echo(f"  {what}: was {change['was']}, would be {change['would_be']}")
            continue
        for sign, way in (("+", "gained"), ("-", "lost")):
            for one in change[way]:
                shown = one if isinstance(one, str) else f"{one['verdict']} of {one['code']} by {one['rule']}"
                click.echo(f"  {sign} {what.removesuffix('s')} {clean(shown)}")


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
