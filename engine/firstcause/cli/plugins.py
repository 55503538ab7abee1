"""The commands plugins list, new and check."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click

from firstcause.cli.common import (
    Context,
    echo,
    json_option,
    pass_context,
    show_json,
    show_table,
    single_line,
)
from firstcause.errors import FirstcauseError


@click.group()
def plugins() -> None:
    """List, make and check plugins."""


@plugins.command(name="list", epilog="Example: firstcause plugins list")
@json_option
@pass_context
def list_plugins(ctx: Context, *, as_json: bool) -> None:
    """List plugins with status, hooks, calls and problems. Exit 1 if one has a problem.

    If the daemon runs, its plugins are shown, with what failed there. Otherwise they are loaded here.
    """
    answer = _ask_daemon(ctx)
    is_daemon = answer is not None
    if answer is None:
        answer = _load_here(ctx)
    if as_json:
        show_json(answer)
    else:
        show_table(
            ("NAME", "STATUS", "VERSION", "HOOKS", "CALLS", "FAILED", "TIME", "PROBLEMS"),
            [_format_row(plugin) for plugin in answer["plugins"]],
        )
        for plugin in answer["plugins"]:
            _show_failed_calls(plugin)
        place = f"the daemon's, since {answer['since']}" if is_daemon else "loaded here, as no daemon runs"
        echo(f"\nplugins: {place}")
    click.get_current_context().exit(1 if any(plugin["problems"] for plugin in answer["plugins"]) else 0)


def _ask_daemon(ctx: Context) -> dict[str, Any] | None:
    """What the daemon on the same store says; None where none answers."""
    from firstcause.cli.conditions import ask_daemon

    try:
        answer = ask_daemon(ctx.settings, "/api/v1/plugins").json()
    except (FirstcauseError, ValueError):
        return None
    is_same = isinstance(answer, dict) and answer.get("store") == ctx.app.database.display_url
    return answer if is_same else None


def _load_here(ctx: Context) -> dict[str, Any]:
    app = ctx.app
    root = click.get_current_context().find_root().command
    own_commands = root.commands if isinstance(root, click.Group) else {}
    # Called before the states are read: most problems of a plugin show when its hooks are called.
    _ = app.health.probes, app.notifications.notifiers, app.remedies.list_remedies()
    _ = app.plugins.formats(), app.plugins.listeners(), app.plugins.commands(own_commands)
    with suppress(FirstcauseError):  # of the site's own rule files, which `rules check` is for
        _ = app.rules.current
    return app.monitoring.describe_plugins()


def _format_row(plugin: dict[str, Any]) -> tuple[object, ...]:
    counts = list(plugin["usage"].values())
    calls, failures = sum(count["calls"] for count in counts), sum(count["failures"] for count in counts)
    seconds = sum(count["seconds"] for count in counts)
    return (
        plugin["name"],
        plugin["status"],
        plugin["version"] or "",
        ", ".join(plugin["hooks"]),
        calls or "",
        failures or "",
        f"{seconds:.3g} s" if calls else "",
        "; ".join(plugin["problems"]),
    )


def _show_failed_calls(plugin: dict[str, Any]) -> None:
    for what, counts in plugin["usage"].items():
        if counts["failures"]:
            echo(
                f"{plugin['name']}: {single_line(what)} failed {counts['failures']} of {counts['calls']} times, "
                f"last at {counts['last_error_at']}: {single_line(counts['last_error'])}"
            )


COMMANDS = (plugins,)
