"""The commands plugins list, new and check."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
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
            share = f"{counts['failures']} of {counts['calls']}"
            echo(
                f"{plugin['name']}: {single_line(what)} failed {share} times, "
                f"last at {counts['last_error_at']}: {single_line(counts['last_error'])}"
            )


_KINDS = ("probe", "notifier", "enrich", "facts", "intake", "remedy", "listener", "rules")


@plugins.command(name="new", epilog="Example: firstcause plugins new my-queue --kind probe")
@click.argument("name")
@click.option("--kind", type=click.Choice(_KINDS), required=True, help="What the plugin does.")
@click.option(
    "--in",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    help="Write the package's folder into this one. Default: the current folder.",
)
@json_option
def new_plugin(*, name: str, kind: str, folder: Path, as_json: bool) -> None:
    """Write the package of a new plugin: with types, tests that pass, and a CI file."""
    from firstcause.authoring.plugin_package import PluginKind, write_plugin_package
    from firstcause.plugins.entry_points import list_plugin_names

    written = write_plugin_package(folder, name, PluginKind(kind), list_plugin_names())
    root = folder / written[0].relative_to(folder).parts[0]
    if as_json:
        show_json({"folder": str(root), "files": [str(path) for path in written]})
        return
    for path in written:
        echo(f"wrote {path}")
    echo(f"\nnext: cd {root} && pip install -e '.[test]' && pytest && firstcause plugins check {name}")


@plugins.command(name="check", epilog="Example: firstcause plugins check my-queue")
@click.argument("name", required=False)
@json_option
@pass_context
def check_plugin(ctx: Context, *, name: str | None, as_json: bool) -> None:
    """Call each hook of the plugin NAME as firstcause would, and say what is wrong. Exit 1 on any error.

    Without NAME: all plugins that firstcause does not ship. Probes are run, remedies are only planned, and
    nothing is sent.
    """
    from dataclasses import asdict

    from firstcause.authoring.plugin_check import check_plugins

    root = click.get_current_context().find_root().command
    reserved = root.commands if isinstance(root, click.Group) else {}
    checked = check_plugins(ctx.settings.plugins, name, reserved)
    if as_json:
        show_json({"plugins": [asdict(plugin) for plugin in checked]})
    elif not checked:
        echo("only the plugins that firstcause ships are installed")
    else:
        for plugin in checked:
            hooks = ", ".join(plugin.hooks) or "none"
            echo(f"{plugin.name}: hooks {hooks}; {len(plugin.findings) or 'nothing'} to fix")
            for finding in plugin.findings:
                echo(f"  {finding.level}: {finding.about}: {single_line(finding.text)}")
                echo(f"    fix: {finding.fix}")
    is_bad = any(finding.level == "error" for plugin in checked for finding in plugin.findings)
    click.get_current_context().exit(1 if is_bad else 0)


COMMANDS = (plugins,)
