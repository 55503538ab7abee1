"""db upgrade, downgrade, current."""

from __future__ import annotations

import click

from firstcause.cli.common import Context, json_option, pass_context, show_json


@click.group()
def db() -> None:
    """The database's schema."""


@db.command(epilog="Example: firstcause db upgrade")
@pass_context
def upgrade(ctx: Context) -> None:
    """Bring the database to this program's schema. `firstcause run` does this by itself."""
    ctx.service.database.prepare()
    click.echo(f"{ctx.service.database.shown_url} has schema {ctx.service.database.version()}")


@db.command(epilog="Example: firstcause db downgrade 0001")
@click.argument("version", default="-1")
@click.confirmation_option(prompt="Going back drops what the newer schema stored. Go on?")
@pass_context
def downgrade(ctx: Context, version: str) -> None:
    """Take the database back to VERSION, or by one; `base` empties it."""
    ctx.service.database.downgrade(version)
    click.echo(f"{ctx.service.database.shown_url} has schema {ctx.service.database.version() or 'none'}")


@db.command(epilog="Example: firstcause db current --json")
@json_option
@pass_context
def current(ctx: Context, *, as_json: bool) -> None:
    """The database's schema and this program's. Exit 1 where they differ."""
    from firstcause.store.database import HEAD

    at, url = ctx.service.database.version(), ctx.service.database.shown_url
    if as_json:
        show_json({"version": at, "head": HEAD, "url": url})
    else:
        click.echo(f"{url} has schema {at or 'none'}; this firstcause has {HEAD}")
    click.get_current_context().exit(0 if at == HEAD else 1)


COMMANDS = (db,)
