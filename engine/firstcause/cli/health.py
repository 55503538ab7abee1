"""check, probe."""

from __future__ import annotations

from typing import Any

import click

from firstcause.cli.common import Context, json_option, now, pass_context, show_json, show_table


@click.command(epilog="Example: firstcause check --json")
@click.argument("probes", nargs=-1, metavar="[PROBE]...")
@json_option
@pass_context
def check(ctx: Context, *, probes: tuple[str, ...], as_json: bool) -> None:
    """One health check with every probe, or with those named. Exit 1 where anything is not UP."""
    found = ctx.ready_service.tick(now(), probes or None)
    _show(found, as_json=as_json)
    ctx_exit(found["status"])


@click.command(epilog="Example: firstcause probe twilio")
@click.argument("name")
@json_option
@pass_context
def probe(ctx: Context, *, name: str, as_json: bool) -> None:
    """Run one probe now. Exit 1 where it is not UP."""
    found = ctx.ready_service.tick(now(), [name])
    reading = {"name": name, **found["infrastructure"][name]}
    if as_json:
        show_json(reading)
    else:
        _show(found, as_json=False)
    ctx_exit(found["status"])


def ctx_exit(status: str) -> None:
    click.get_current_context().exit(1 if status in {"DEGRADED", "DOWN"} else 0)


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    if not found["infrastructure"]:
        click.echo("no probes are configured; README.md shows how")
        return
    rows = [
        (name, one["status"], "" if one["latency_ms"] is None else f"{one['latency_ms']:g} ms", one["detail"])
        for name, one in found["infrastructure"].items()
    ]
    show_table(("PROBE", "STATUS", "TOOK", "DETAIL"), rows)


COMMANDS = (check, probe)
