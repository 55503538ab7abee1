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
    from firstcause.rulefiles.load import PlacedTest, RuleBook
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
        book = load(
            selection.folders,
            ctx.settings.rules.thresholds,
            complete=selection.is_complete,
            open_kinds=ctx.app.rules.has_fact_suppliers(),
        )
    except RuleFileError as error:
        _show_mistakes(
            [mistake for mistake in error.mistakes if selection.includes(Path(mistake.path))], as_json=as_json
        )
        return
    limits = _describe_limits(book)
    if as_json:
        show_json({"mistakes": [], "limits": limits})
    else:
        entries = len(book.catalog.entries)
        echo(
            "limits: {sets} rule sets; a fact passes at most {branches} of {max_branches} branches of one; "
            "the costliest rule {rule} makes {combinations:,} of {max_combinations:,} combinations".format(
                **limits
            )
        )
        echo(f"{len(book.files)} files, {entries} entries, {len(book.rules)} rules: no mistakes")


def _describe_limits(book: RuleBook) -> dict[str, Any]:
    """Describe how near the rules are to what the engine bears."""
    from firstcause.inference.combination_estimate import MAX_ESTIMATED_COMBINATIONS, estimate_combinations
    from firstcause.inference.engine import measure_limits

    costs = {placed.rule.id: estimate_combinations(placed.rule) for placed in book.rules}
    costliest = max(costs, key=lambda rule_id: costs[rule_id], default="")
    return {
        **dataclasses.asdict(measure_limits(book.rules)),
        "rule": costliest,
        "combinations": costs.get(costliest, 0),
        "max_combinations": MAX_ESTIMATED_COMBINATIONS,
    }


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
@click.option(
    "--junit",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the results to FILE in JUnit's XML format too.",
)
@click.option("--coverage", is_flag=True, help="List the rules that no test fires.")
@json_option
@pass_context
def test(
    ctx: Context,
    *,
    paths: tuple[str, ...],
    only: str | None,
    junit: Path | None,
    coverage: bool,
    as_json: bool,
) -> None:
    """Run the tests in all configured rule files, or in PATH. Exit 1 if one fails.

    Tests run through the same pipeline as real errors, with a store in memory and a simulated clock.
    """
    from firstcause.rulebase.rulebase import load_rulebase
    from firstcause.simulation.junit import write_junit
    from firstcause.simulation.rule_tests import run_rule_tests

    selection = _select_files(ctx, paths)
    knowledge = load_rulebase(
        selection.folders,
        ctx.settings.rules.thresholds,
        all_files=selection.is_complete,
        open_kinds=ctx.app.rules.has_fact_suppliers(),
    )
    results = []
    for result in run_rule_tests(knowledge, _select_tests(knowledge.book, selection, only)):
        results.append(result)
        if not as_json and not result.passed:
            _show_failure(result)
    failed = sum(not result.passed for result in results)
    if junit is not None:
        write_junit(junit, results)
    uncovered = _list_uncovered(knowledge.book, selection, results) if coverage else []
    if as_json:
        show_json(
            {
                "tests": [_serialize_result(result) for result in results],
                "failed": failed,
                **({"uncovered": uncovered} if coverage else {}),
            }
        )
    else:
        if coverage:
            _show_uncovered(uncovered)
        echo(f"{len(results)} tests, {failed or 'none'} failed")
    knowledge.close()
    click.get_current_context().exit(1 if failed else 0)


def _select_tests(book: RuleBook, selection: _FileSelection, only: str | None) -> list[PlacedTest]:
    tests = [
        placed
        for placed in book.tests
        if selection.includes(placed.path) and (only or "") in f"{placed.file} {placed.test.name}"
    ]
    if only is not None and not tests:
        msg = f"no test has {only!r} in its name or file; `firstcause rules test --json` lists all"
        raise click.UsageError(msg)
    return tests


def _list_uncovered(
    book: RuleBook, selection: _FileSelection, results: Sequence[RuleTestResult]
) -> list[dict[str, Any]]:
    """List the rules of the selected files that none of the tests fired."""
    fired = {rule_id for result in results for rule_id in result.fired}
    return [
        {"rule": placed.rule.id, "file": placed.file, "line": placed.line}
        for placed in book.rules
        if placed.rule.id not in fired and selection.includes(book.paths[placed.file])
    ]


def _show_uncovered(uncovered: Sequence[dict[str, Any]]) -> None:
    for rule in uncovered:
        echo(f"no test fires {rule['rule']}  {rule['file']}:{rule['line']}")
    echo(f"{len(uncovered) or 'no'} rule{'' if len(uncovered) == 1 else 's'} without a test")


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
        open_kinds=ctx.app.rules.has_fact_suppliers(),
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
