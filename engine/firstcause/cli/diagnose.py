"""The command diagnose."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, TextIO

import click

from firstcause.cli.common import Context, echo, lines_json_option, pass_context
from firstcause.errors import IntakeError

if TYPE_CHECKING:
    from firstcause.simulation.diagnose import Diagnoser
    from firstcause.simulation.recorded_storm import RecordedStorm


@click.command(epilog="Example: firstcause diagnose storms.jsonl | jq -r '.id + \" \" + .root'")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option(
    "--history", type=click.File(encoding="utf-8"), help="Past storms with their `root`, to learn from."
)
@click.option("--learned", is_flag=True, help="Print what the history teaches as a rule file, and end.")
@lines_json_option
@click.pass_context
@pass_context
def diagnose(
    ctx: Context, click_ctx: click.Context, *, file: TextIO, history: TextIO | None, learned: bool
) -> None:
    """Find the root cause of recorded storms.

    FILE (- for stdin) has one JSON object a line with `id`, `edges` ([caller, callee]) and `alerts` (service,
    kind, t, count, score, detail). With --history, past storms with their `root` teach how often each kind of
    alert means nothing at its component. The output has one JSON object a line with the services as `ranked`,
    the most likely root and why. Lines that cannot be read are named on stderr and skipped; the exit code is
    then 2.
    """
    from firstcause.simulation.diagnose import Diagnoser

    past, invalid_past = _read_history(history) if history is not None else ([], 0)
    with closing(Diagnoser(ctx.app.rules.current, past)) as diagnoser:
        if learned:
            _print_learned(diagnoser)
            click_ctx.exit(2 if invalid_past else 0)
        invalid_count = _diagnose_lines(diagnoser, file)
    click_ctx.exit(2 if invalid_count or invalid_past else 0)


def _read_history(file: TextIO) -> tuple[list[RecordedStorm], int]:
    """Read past storms. Return them and how many lines could not be read or have no root."""
    from firstcause.simulation.recorded_storm import parse

    storms: list[RecordedStorm] = []
    invalid_count = 0
    for line_number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            storm = parse(line)
        except IntakeError as error:
            invalid_count += 1
            echo(f"{file.name}:{line_number}: {error}; correct the line", err=True)
            continue
        if storm.confirmed_root is None:
            invalid_count += 1
            echo(f"{file.name}:{line_number}: no `root`, so it teaches nothing; name the service", err=True)
        else:
            storms.append(storm)
    return storms, invalid_count


def _print_learned(diagnoser: Diagnoser) -> None:
    import yaml

    patch = {"component": "learned", "learned": diagnoser.chances.model_dump(mode="json")}
    echo("# What past storms teach. Put the file into a folder of [rules] paths; remove it to forget.")
    echo(yaml.safe_dump(patch, sort_keys=False, allow_unicode=True).rstrip())


def _diagnose_lines(diagnoser: Diagnoser, file: TextIO) -> int:
    """Diagnose line by line. Return how many lines could not be read."""
    from firstcause.simulation.recorded_storm import parse

    invalid_count = line_number = 0
    try:
        for line_number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                storm = parse(line)
            except IntakeError as error:
                invalid_count += 1
                echo(f"{file.name}:{line_number}: {error}; correct the line", err=True)
            else:
                echo(json.dumps(diagnoser.diagnose(storm)))
    except UnicodeDecodeError as error:
        invalid_count += 1
        echo(f"{file.name}:{line_number + 1}: not UTF-8: {error.reason}; save the file as UTF-8", err=True)
    return invalid_count


COMMANDS = (diagnose,)
