"""Commands for the store: db upgrade, downgrade, current; prune, backup, export."""

from __future__ import annotations

from pathlib import Path
from typing import IO

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
)
from firstcause.core.sanitize import format_json


def _parse_length_option(_ctx: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    from firstcause.core.text.durations import parse_duration

    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(epilog="Example: firstcause prune --older-than 30d --dry-run")
@click.option(
    "--older-than",
    "older",
    metavar="LENGTH",
    callback=_parse_length_option,
    help="Use this age, for example 30d, instead of the configured ones.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@click.option("--vacuum", is_flag=True, help="Shrink SQLite's file afterwards. May take a while.")
@json_option
@pass_context
def prune(ctx: Context, *, older: float | None, dry_run: bool, vacuum: bool, as_json: bool) -> None:
    """Delete old events and incidents. The daemon does this once a minute.

    If the store uses more than [store] max_bytes, the oldest events are deleted too. Open incidents and their
    events are kept.
    """
    from firstcause.incidents.serializers import format_over_limit

    pruned = ctx.ready_app.maintenance.prune(now(), older, dry_run=dry_run)
    if vacuum and not dry_run:
        ctx.app.database.vacuum()
    if as_json:
        show_json({**pruned, "dry_run": dry_run})
    else:
        verb = "would be deleted" if dry_run else "deleted"
        echo(f"{pruned['events']} events and {pruned['incidents']} incidents {verb}")
        if excess_bytes := pruned["over_max_bytes"]:
            echo(format_over_limit(excess_bytes, ctx.settings.store.max_bytes))


@click.command(epilog="Example: firstcause backup /backups/firstcause-monday.db")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Replace an existing FILE.")
@json_option
@pass_context
def backup(ctx: Context, *, file: Path, replace: bool, as_json: bool) -> None:
    """Copy the whole store into FILE while the daemon runs.

    The copy includes accepted events that are not processed yet. FILE is a SQLite store, even if the original
    is not; set [store] url to use it. FILE is written completely or not at all.
    """
    from firstcause.core.text.sizes import format_size

    size = ctx.app.maintenance.back_up(file, replace=replace)
    if as_json:
        show_json({"file": str(file), "bytes": size})
    else:
        echo(f"{ctx.app.database.display_url} is copied to {file} ({format_size(size)})")


@click.command(epilog="Example: firstcause export --since 1d > yesterday.jsonl")
@click.argument("what", type=click.Choice(["events", "incidents"]), default="events")
@click.option("--since", metavar="WHEN", help="Start at this time, or this long ago. Default: everything.")
@click.option(
    "--output",
    "-o",
    type=click.File("w", encoding="utf-8", atomic=True),
    default="-",
    help="Write to this file. Default: stdout.",
)
@lines_json_option
@pass_context
def export(ctx: Context, *, what: str, since: str | None, output: IO[str]) -> None:
    """Print events or incidents as JSON lines, oldest first.

    Events are printed as they were reported, for `firstcause replay`; drills and unreadable events are left
    out. Incidents are printed as by `incident ID --json`.
    """
    maintenance = ctx.ready_app.maintenance
    read_rows = {"events": maintenance.export_events, "incidents": maintenance.export_incidents}[what]
    for row in read_rows(None if since is None else parse_since(since, now())):
        output.write(format_json(row) + "\n")


@click.group()
def db() -> None:
    """Show or change the schema of the database."""


@db.command(epilog="Example: firstcause db upgrade")
@json_option
@pass_context
def upgrade(ctx: Context, *, as_json: bool) -> None:
    """Upgrade the database to this program's schema. `firstcause run` does this by itself."""
    ctx.app.database.prepare()
    _show_schema(ctx, as_json=as_json)


@db.command(epilog="Example: firstcause db downgrade 0001")
@click.argument("version", default="-1")
@click.confirmation_option(prompt="A downgrade deletes what only the newer schema stores. Continue?")
@json_option
@pass_context
def downgrade(ctx: Context, version: str, *, as_json: bool) -> None:
    """Downgrade the database to VERSION, by default by one; `base` removes all tables."""
    ctx.app.database.downgrade(version)
    _show_schema(ctx, as_json=as_json)


def _show_schema(ctx: Context, *, as_json: bool) -> None:
    url, version = ctx.app.database.display_url, ctx.app.database.read_version()
    if as_json:
        show_json({"url": url, "version": version})
    else:
        echo(f"{url} has schema {version or 'none'}")


@db.command(epilog="Example: firstcause db current --json")
@json_option
@pass_context
def current(ctx: Context, *, as_json: bool) -> None:
    """Show the schema version of the database and of this program. Exit 1 if they differ."""
    schema = ctx.app.maintenance.describe_schema()
    if as_json:
        show_json(schema)
    else:
        stored = schema["version"] or "none"
        echo(f"{schema['url']} has schema {stored}; this firstcause has {schema['head']}")
    click.get_current_context().exit(0 if schema["version"] == schema["head"] else 1)


db.add_command(prune)

COMMANDS = (db, prune, backup, export)
