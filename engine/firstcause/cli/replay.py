"""The command replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import click

from firstcause.cli.common import Context, echo, lines_json_option, now, pass_context
from firstcause.core.sanitize import format_json
from firstcause.errors import IntakeError

if TYPE_CHECKING:
    from firstcause.core.model import Event


@click.command(epilog="Example: firstcause replay yesterday.jsonl | jq -r '.root.code'")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--store", metavar="URL", help="Keep the results in this store, for example sqlite:///replayed.db."
)
@lines_json_option
@click.pass_context
@pass_context
def replay(ctx: Context, click_ctx: click.Context, *, file: BinaryIO, store: str | None) -> None:
    """Replay recorded events through the pipeline at their own times.

    FILE (- for stdin) has one event a line, as it is reported, with its `time`. Nobody is notified. The
    output has one incident a line, as `incident ID --json` prints it, with the messages that would have been
    sent. Lines that cannot be read are named on stderr and skipped; the exit code is then 2.
    """
    from firstcause.simulation.replay import replay as play

    events, invalid_count = _read_events(file, ctx.settings.intake.max_event_bytes)
    group_wait = ctx.settings.notify.group_wait
    result = play(events, ctx.app.rules.current, group_wait, store)
    for incident in result.incidents:
        echo(format_json(incident))
    counts = (
        (len(events), "event"),
        (len(result.incidents), "incident"),
        (result.notification_count, "message"),
    )
    echo(", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts), err=True)
    click_ctx.exit(2 if invalid_count else 0)


def _read_events(file: BinaryIO, limit: int) -> tuple[list[Event], int]:
    """Read the events. Return them and how many lines could not be read."""
    from firstcause.intake.event_intake import generate_id
    from firstcause.intake.native_format import parse

    events: list[Event] = []
    invalid_count, when = 0, now()
    for line_number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            parsed = parse(line, "application/json", now=when, new_id=generate_id, max_event_bytes=limit)
            errors = [rejection.error for rejection in parsed.rejected]
            events += parsed.events
        except IntakeError as error:
            errors = [str(error)]
        for error_text in errors:
            invalid_count += 1
            echo(f"{file.name}:{line_number}: {error_text}; correct the line", err=True)
    return events, invalid_count


COMMANDS = (replay,)
