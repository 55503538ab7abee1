"""What all commands share: the application, options, and output as JSON or as a table."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstcause.core.sanitize import escape_invisible, format_json, single_line
from firstcause.errors import ConfigError, FirstcauseError, IntakeError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from firstcause.app.application import Application
    from firstcause.config import Settings

__all__ = [
    "Context",
    "echo",
    "echo_wrapped",
    "exit_code",
    "json_option",
    "lines_json_option",
    "now",
    "parse_since",
    "pass_context",
    "show_json",
    "show_table",
    "single_line",
]  # fmt: skip

_USAGE_ERRORS = (ConfigError, IntakeError, NotFoundError)
_MAX_COLUMN_WIDTH = 60
_MIN_LAST_COLUMN = 24
_MIN_WIDTH = 40


def exit_code(error: FirstcauseError) -> int:
    """Return the exit code: 2 if the call was wrong, 1 if the thing asked about is bad."""
    return 2 if isinstance(error, _USAGE_ERRORS) else 1


def now() -> datetime:
    return datetime.now(UTC)


class Context:
    """One run of the command line. The application is opened when a command first needs it."""

    def __init__(self, config: str | None) -> None:
        self._config = Path(config) if config else None

    @cached_property
    def settings(self) -> Settings:
        from firstcause.config import load

        return load(self._config)

    @cached_property
    def app(self) -> Application:
        from firstcause.app.application import Application

        return Application(self.settings)

    @cached_property
    def ready_app(self) -> Application:
        """The application over a store that has this program's schema."""
        self.app.database.prepare()
        self._note_other_store()
        return self.app

    def _note_other_store(self) -> None:
        """Say on stderr that the daemon which answers here uses another store than this command."""
        from firstcause.cli.daemon_store import fetch_daemon_store

        own_store = self.app.database.display_url
        daemon_store = fetch_daemon_store(self.settings)
        if daemon_store is not None and daemon_store != own_store:
            echo(
                f"note: this command looks at {own_store}; the daemon on port {self.settings.web.port} uses "
                f"{daemon_store}. Give --config or FIRSTCAUSE_CONFIG its config.toml.",
                err=True,
            )

    def close(self) -> None:
        if "app" in self.__dict__:
            self.app.close()


pass_context = click.make_pass_decorator(Context)


def parse_since(text: str, when: datetime) -> datetime:
    """Parse --since: a duration before `when`, or a time."""
    from firstcause.core.text.durations import parse_duration

    with suppress(ValueError):
        return when - timedelta(seconds=parse_duration(text))
    with suppress(ValueError):
        parsed = datetime.fromisoformat(text)
        return parsed if parsed.tzinfo else parsed.astimezone()
    msg = f"--since {text!r} is neither a duration such as 7d nor a time such as 2026-11-01T03:00"
    raise click.UsageError(msg)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def lines_json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json to a command whose output is JSON anyway, so that every command takes it."""
    help_text = "Changes nothing: the output is JSON already."
    return click.option("--json", is_flag=True, expose_value=False, help=help_text)(command)


def echo(text: object = "", *, err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print a text in which nothing acts on the terminal. style: as of `click.style`."""
    shown = escape_invisible(str(text))
    click.echo(click.style(shown, **style) if style else shown, err=err, nl=nl)


def show_json(value: Any) -> None:
    click.echo(format_json(value, indent=2))


def find_width() -> int | None:
    """Find how many columns there are; None where the output goes to a program, which gets long lines."""
    if "COLUMNS" not in os.environ and not sys.stdout.isatty():
        return None
    return max(shutil.get_terminal_size().columns, _MIN_WIDTH)


def echo_wrapped(label: str, text: str) -> None:
    """Print a text that may be long, its further lines below its first letter."""
    width = find_width()
    if width is None:
        echo(f"{label}{text}")
        return
    for line in textwrap.wrap(
        f"{label}{text}", width, subsequent_indent=" " * len(label), break_on_hyphens=False
    ):
        echo(line)


def show_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table. Columns are as wide as their cells, up to a limit for all but the last."""
    texts = [[single_line("" if cell is None else cell) for cell in row] for row in rows]
    widths = [
        min(max(len(row[index]) for row in [list(head), *texts]), _MAX_COLUMN_WIDTH)
        for index in range(len(head))
    ]
    width = find_width()
    if width is not None:
        _narrow_columns(widths, width)
    for row in [list(head), *texts]:
        cells = [f"{cell:<{columns}}" for cell, columns in zip(row[:-1], widths, strict=False)]
        start = "".join(f"{cell}  " for cell in cells)
        if width is None:
            echo(f"{start}{row[-1]}".rstrip())
            continue
        room = max(width - len(start), _MIN_LAST_COLUMN)
        first, *further = textwrap.wrap(row[-1], room, break_on_hyphens=False) or [""]
        echo(f"{start}{first}".rstrip())
        indent = sum(columns + 2 for columns in widths[:-1])
        for line in further:
            echo(f"{' ' * indent}{line}")


def _narrow_columns(widths: list[int], total: int) -> None:
    """Narrow the widest columns but the last, so that the last has room; longer cells move theirs."""
    while sum(width + 2 for width in widths[:-1]) > total - _MIN_LAST_COLUMN and max(widths[:-1]) > 1:
        widest = max(range(len(widths) - 1), key=lambda index: widths[index])
        widths[widest] -= 1
