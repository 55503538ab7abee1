"""Commands for rule files: rules check, test, backtest, schema."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import (
    Context,
    echo,
    json_option,
    lines_json_option,
    now,
    parse_since,
    pass_context,
    show_json,
    show_table,
    single_line,
)
from firstcause.cli.explain import explain_rule
from firstcause.errors import RuleFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause.errors import Mistake
    from firstcause.simulation.rule_tests import RuleTestResult


@click.group()
def rules() -> None:
    """Check, test and explain rule files."""


@dataclasses.dataclass(frozen=True)
class _FileSelection:
    """The rule files to read.

    is_complete: whether these are all files of the configuration. within: paths to report on, () for all.
    """

    folders: Sequence[Path]
    is_complete: bool = True
    within: Sequence[Path] = ()

    def includes(self, path: Path) -> bool:
        return not self.within or any(path.resolve().is_relative_to(folder) for folder in self.within)


def _select_files(ctx: Context, names: Sequence[str]) -> _FileSelection:
    """Select all configured files for paths within their folders, and other paths by themselves."""
    from firstcause.rulebase.rulebase import SHIPPED_RULES, resolve_rule_folder

    configured = ctx.app.rules.folders
    if not names:
        return _FileSelection(configured)
    paths = [
        resolve_rule_folder(ctx.settings, name) if name == SHIPPED_RULES else Path(name).resolve()
        for name in names
    ]
    for path in paths:
        if not path.exists():
            msg = f"no such file or folder: {path}"
            raise click.UsageError(msg)
    inside = all(any(path.is_relative_to(folder.resolve()) for folder in configured) for path in paths)
    return _FileSelection(configured, within=paths) if inside else _FileSelection(paths, is_complete=False)


_paths_argument = click.argument("paths", nargs=-1, metavar="[PATH]...")


@rules.command(epilog="Example: firstcause rules check")
@_paths_argument
@json_option
@pass_context
def check(ctx: Context, *, paths: tuple[str, ...], as_json: bool) -> None:
    """Check all configured rule files, or PATH, and list every mistake. Exit 1 on any.

    A PATH within the configured folders is read together with them, any other PATH by itself.
    """
    from firstcause.rulefiles.load import load

    selection = _select_files(ctx, paths)
    try:
        book = load(selection.folders, ctx.settings.rules.thresholds, complete=selection.is_complete)
    except RuleFileError as error:
        _show_mistakes(
            [mistake for mistake in error.mistakes if selection.includes(Path(mistake.path))], as_json=as_json
        )
        return
    if as_json:
        show_json({"mistakes": []})
    else:
        entries = len(book.catalog.entries)
        echo(f"{len(book.files)} files, {entries} entries, {len(book.rules)} rules: no mistakes")


def _show_mistakes(mistakes: Sequence[Mistake], *, as_json: bool) -> None:
    if as_json:
        show_json({"mistakes": [vars(mistake) for mistake in mistakes]})
    else:
        for mistake in mistakes:
            echo(str(mistake), err=True)
        echo(f"{len(mistakes) or 'no'} mistake{'' if len(mistakes) == 1 else 's'}", err=True)
    click.get_current_context().exit(1 if mistakes else 0)


@rules.command(epilog="Example: firstcause rules test --only twilio")
@_paths_argument
@click.option("--only", metavar="TEXT", help="Run only tests whose name or file contains TEXT.")
@json_option
@pass_context
def test(ctx: Context, *, paths: tuple[str, ...], only: str | None, as_json: bool) -> None:
    """Run the tests in all configured rule files, or in PATH. Exit 1 if one fails.

    Tests run through the same pipeline as real errors, with a store in memory and a simulated clock.
    """
    from firstcause.rulebase.rulebase import load_rulebase
    from firstcause.simulation.rule_tests import run_rule_tests

    selection = _select_files(ctx, paths)
    knowledge = load_rulebase(
        selection.folders, ctx.settings.rules.thresholds, all_files=selection.is_complete
    )
    placed_tests = [
        placed_test for placed_test in knowledge.book.tests if selection.includes(placed_test.path)
    ]
    results = []
    for result in run_rule_tests(
        knowledge,
        [
            placed_test
            for placed_test in placed_tests
            if (only or "") in f"{placed_test.file} {placed_test.test.name}"
        ],
    ):
        results.append(result)
        if not as_json and not result.passed:
            _show_failure(result)
    failed = sum(not result.passed for result in results)
    if as_json:
        show_json({"tests": [_serialize_result(result) for result in results], "failed": failed})
    else:
        echo(f"{len(results)} tests, {failed or 'none'} failed")
    knowledge.close()
    click.get_current_context().exit(1 if failed else 0)


@rules.command(epilog="Example: firstcause rules backtest shipped ./edited --since 7d --strict")
@_paths_argument
@click.option(
    "--since", metavar="WHEN", default="30d", show_default=True, help="Start at this time, or this long ago."
)
@click.option("--strict", is_flag=True, help="Exit 1 if anything would differ.")
@json_option
@pass_context
def backtest(ctx: Context, *, paths: tuple[str, ...], since: str, strict: bool, as_json: bool) -> None:
    """Replay the stored history with the current rule files, or with PATH, and show what would differ.

    The word `shipped` as PATH stands for the files that come with firstcause.
    """
    from firstcause.rulebase.rulebase import load_rulebase
    from firstcause.simulation.backtest import run_backtest as play

    when, app = now(), ctx.ready_app
    begin = parse_since(since, when)
    selection = _select_files(ctx, paths)
    settings = ctx.settings
    knowledge = load_rulebase(
        selection.folders,
        settings.rules.thresholds,
        all_files=selection.is_complete,
        depends_on=settings.topology.depends_on,
    )
    try:
        report = play(app.database, knowledge, settings.notify.group_wait, begin, when)
    finally:
        knowledge.close()
    if as_json:
        show_json(dataclasses.asdict(report))
    else:
        for difference in report.differences:
            _show_difference(difference)
        differ = f"{len(report.differences) or 'none'} would differ"
        echo(f"{report.events} events, {report.incidents} incidents since {since}: {differ}")
    click.get_current_context().exit(1 if strict and report.differences else 0)


_CHANGE_HEADINGS = {
    "differs": "incident {incident}",
    "lost": "incident {incident} would not exist",
    "gained": "a new incident would exist",
}


def _show_difference(difference: dict[str, Any]) -> None:
    head = _CHANGE_HEADINGS[difference["change"]].format(**difference)
    echo(
        f"{head}  {difference['opened_at']}  {difference['priority']}  {single_line(difference['root'])}",
        bold=True,
    )
    if difference["change"] != "differs":
        notified = ", ".join(difference["said"] or []) or "nobody notified"
        echo(f"  {difference['events']} events, {notified}")
    for what, change in difference["changes"].items():
        if "was" in change:
            echo(f"  {what}: was {change['was']}, would be {change['would_be']}")
            continue
        for sign, direction in (("+", "gained"), ("-", "lost")):
            for item in change[direction]:
                shown = (
                    item
                    if isinstance(item, str)
                    else f"{item['verdict']} of {item['code']} by {item['rule']}"
                )
                echo(f"  {sign} {what.removesuffix('s')} {single_line(shown)}")


@rules.command(epilog="Example: firstcause rules schema > rules/schema.json")
@lines_json_option
def schema() -> None:
    """Print the JSON Schema of rule files, for completion and checks in editors."""
    from firstcause.rulefiles.schema import format_schema_text

    echo(format_schema_text(), nl=False)


def _show_failure(result: RuleTestResult) -> None:
    echo(f"FAILED {result.test.file}:{result.test.line}: {single_line(result.test.test.name)}", fg="red")
    rows = [(difference.field, difference.expected, difference.got) for difference in result.differences]
    show_table(("  WHAT", "EXPECTED", "GOT"), [(f"  {what}", *rest) for what, *rest in rows])
    for line in result.explanation:
        echo(f"    {single_line(line)}")


def _serialize_result(result: RuleTestResult) -> dict[str, Any]:
    return {
        "name": result.test.test.name,
        "file": result.test.file,
        "line": result.test.line,
        "passed": result.passed,
        "differences": [dataclasses.asdict(difference) for difference in result.differences],
        "why": list(result.explanation),
    }


rules.add_command(explain_rule)

COMMANDS = (rules,)
