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


@click.command(epilog="Example: firstcause diagnose storms.jsonl | jq -r '.id + \" \" + .root'")
@click.argument("file", type=click.File(encoding="utf-8"))
@lines_json_option
@click.pass_context
@pass_context
def diagnose(ctx: Context, click_ctx: click.Context, *, file: TextIO) -> None:
    """Find the root cause of recorded storms.

    FILE (- for stdin) has one JSON object a line with `id`, `edges` ([caller, callee]) and `alerts` (service,
    kind, t, count, score, detail). The output has one JSON object a line with the services as `ranked`, the
    most likely root and why. Lines that cannot be read are named on stderr and skipped; the exit code is
    then 2.
    """
    from firstcause.simulation.diagnose import Diagnoser

    with closing(Diagnoser(ctx.app.rules.current)) as diagnoser:
        invalid_count = _diagnose_lines(diagnoser, file)
    click_ctx.exit(2 if invalid_count else 0)


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
