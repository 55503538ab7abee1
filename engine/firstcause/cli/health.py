"""Commands for health: check, probe, snapshots, snapshot, diff, trend, forecast."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import (
    Context,
    echo,
    json_option,
    now,
    pass_context,
    show_json,
    show_table,
    single_line,
)
from firstcause.cli.completion import complete_probe
from firstcause.cli.conditions import add_daemon_conditions, is_anything_amiss, show_conditions

if TYPE_CHECKING:
    from collections.abc import Sequence

_MINUTES_RANGE = click.FloatRange(min=1, max=60 * 24 * 400)
_BAD_STATUSES = {"DEGRADED", "DOWN"}
_ABSENT = "absent"


@click.command(epilog="Example: firstcause check --json")
@click.argument("probes", nargs=-1, metavar="[PROBE]...", shell_complete=complete_probe)
@json_option
@pass_context
def check(ctx: Context, *, probes: tuple[str, ...], as_json: bool) -> None:
    """Run every probe, or only the named ones.

    A check with every probe takes a snapshot and compares it with the last known good state. Exit 1 if
    anything is not UP or is worse than before, or if something is wrong with firstcause itself: a plugin
    that does not load, for example, no probe at all, or no notifier that reaches anybody.
    """
    result = ctx.ready_app.monitoring.check(now(), probes or None)
    result["conditions"] = add_daemon_conditions(result["conditions"], ctx.app)
    if as_json:
        show_json(result)
    else:
        _show_readings(result["infrastructure"])
        if result["snapshot_id"] is not None:
            _show_comparison(result["comparison"])
        show_conditions(result["conditions"])
    is_worse = result["status"] in _BAD_STATUSES or result["comparison"]["is_regression"]
    _exit_with_status(bad=is_worse or is_anything_amiss(result["conditions"]))


@click.command(epilog="Example: firstcause probe twilio")
@click.argument("name", shell_complete=complete_probe)
@json_option
@pass_context
def probe(ctx: Context, *, name: str, as_json: bool) -> None:
    """Run one probe now. Exit 1 if it is not UP."""
    result = ctx.ready_app.health.check(now(), [name])
    if as_json:
        show_json({"name": name, **result["infrastructure"][name]})
    else:
        _show_readings(result["infrastructure"])
    _exit_with_status(bad=result["status"] in _BAD_STATUSES)


def _exit_with_status(*, bad: bool) -> None:
    click.get_current_context().exit(1 if bad else 0)


def _show_readings(infrastructure: dict[str, Any]) -> None:
    if not infrastructure:
        echo("no probes are configured; docs/probes.md shows how to add one")
        return
    rows = [
        (
            name,
            reading["status"],
            "" if reading["latency_ms"] is None else f"{reading['latency_ms']:g} ms",
            reading["detail"],
        )
        for name, reading in infrastructure.items()
    ]
    show_table(("PROBE", "STATUS", "TOOK", "DETAIL"), rows)


def _show_comparison(comparison: dict[str, Any]) -> None:
    since = comparison.get("time_since_last_good")
    when = f" (the last known good state is {since:g} minutes old)" if since else ""
    echo(f"\n{single_line(comparison['message'])}{when}")
    if comparison["suggested_rollback"]:
        echo(f"to roll back: {single_line(comparison['suggested_rollback'])}")
    if comparison["changes"]:
        echo()
        show_table(
            ("CHANGED", "WHAT", "BEFORE", "AFTER", "SEVERITY", "LIKELY THE CAUSE"),
            [_change_row(change) for change in comparison["changes"]],
        )


def _change_row(change: dict[str, Any]) -> tuple[object, ...]:
    likely = change.get("likelihood")
    share = f"{likely:.0%}" if likely is not None else ""
    before, after = _format_value(change["before"]), _format_value(change["after"])
    return change["category"], change["name"], before, after, change["severity"], share


def _format_value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@click.command(epilog="Example: firstcause snapshots --limit 10")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Show at most so many."
)
@json_option
@pass_context
def snapshots(ctx: Context, *, limit: int, as_json: bool) -> None:
    """List snapshots, latest first."""
    entries = ctx.ready_app.health.history.list_snapshots(limit)
    if as_json:
        show_json({"snapshots": entries})
        return
    if not entries:
        echo("no snapshot yet; `firstcause check` takes one")
        return
    rows = [(entry["id"], entry["taken_at"], entry["status"], _format_standing(entry)) for entry in entries]
    show_table(("ID", "TAKEN", "STATUS", "GOOD"), rows)


def _format_standing(entry: dict[str, Any]) -> str:
    words = ["last known good" if entry["last_known_good"] else "good" if entry["good"] else ""]
    if entry["pinned_by"]:
        words.append(f"pinned by {entry['pinned_by']}")
    return ", ".join(filter(None, words))


@click.command(epilog="Example: firstcause snapshot good --json")
@click.argument("name", metavar="ID")
@click.option("--pin", is_flag=True, help="Pin this snapshot as the last known good state.")
@click.option("--unpin", is_flag=True, help="Let the rules choose the last known good state again.")
@click.option("--by", default=getpass.getuser, help="Name of who acts. Default: the logged-in user.")
@json_option
@pass_context
def snapshot(ctx: Context, *, name: str, pin: bool, unpin: bool, by: str, as_json: bool) -> None:
    """Show a snapshot. ID is a number, `latest`, or `good` for the last known good state."""
    if pin and unpin:
        msg = "--pin and --unpin exclude each other; give one"
        raise click.UsageError(msg)
    history = ctx.ready_app.health.history
    if unpin:
        history.unpin(now(), by)
    result = history.pin(name, now(), by) if pin else history.get_snapshot(name)
    if as_json:
        show_json(result)
        return
    echo(
        f"snapshot {result['id']} of {result['taken_at']}: "
        f"{result['status']} {_format_standing(result)}".rstrip()
    )
    _show_snapshot(result)


def _show_snapshot(details: dict[str, Any]) -> None:
    _show_readings(details["infrastructure"])
    slow = [(name, timing["p95_ms"], timing["p99_ms"]) for name, timing in details["performance"].items()]
    if rows := [(name, f"{p95:g} ms", f"{p99:g} ms") for name, p95, p99 in slow if p95 is not None]:
        echo()
        show_table(("PROBE", "P95", "P99"), rows)
    errors = details["errors"]
    echo(
        f"\nerrors in {errors['seconds']:g} s: {errors['critical']} critical, {errors['warning']} warnings, "
        f"{errors['info']} infos; {details['alerts_open']} alerts open"
    )
    if errors["top"]:
        show_table(("ERROR", "COUNT"), [(error["code"], error["count"]) for error in errors["top"]])
    counts = [f"{name} {value:g}" for name, value in details["data"].items()]
    settings = details["configuration"]
    present = sum(value != _ABSENT for value in settings.values())
    for label, items in (
        ("never seen before", errors["new"]),
        ("active", dict.fromkeys(alert["code"] for alert in details["alerts"])),
        ("counts", counts),
        ("settings", [f"{present} of {len(settings)} present"] if settings else []),
    ):
        if items:
            echo(f"{label}: {single_line(', '.join(items))}")


@click.command(epilog="Example: firstcause diff good latest")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@json_option
@pass_context
def diff(ctx: Context, *, before: str, after: str, as_json: bool) -> None:
    """Show what changed from snapshot A to B. Exit 1 if B is worse."""
    comparison = ctx.ready_app.health.history.diff(before, after)
    if as_json:
        show_json(comparison)
    else:
        _show_comparison(comparison)
    _exit_with_status(bad=comparison["is_regression"])


@click.command(epilog="Example: firstcause trend redis.latency_ms --minutes 60")
@click.argument("metric")
@click.option("--minutes", default=1440.0, type=_MINUTES_RANGE, show_default=True, help="Look this far back.")
@json_option
@pass_context
def trend(ctx: Context, *, metric: str, minutes: float, as_json: bool) -> None:
    """Show a metric over time, and whether it rises or falls.

    METRIC is `errors`, `errors.CODE`, `errors.critical`, `alerts`, `health` (the share of probes that are
    UP), or PROBE.MEASUREMENT.
    """
    result = ctx.ready_app.health.history.get_trend(metric, minutes, now())
    if as_json:
        show_json(result)
        return
    if not result["count"]:
        echo(f"no values of {metric} in that time")
        return
    echo(draw_sparkline([point["value"] for point in result["points"]]))
    echo(
        f"{metric}: {result['last']:g} now, {result['min']:g} to {result['max']:g}, "
        f"median {result['median']:g} of {result['count']} values"
    )
    if result["direction"] == "flat":
        echo("trend: flat")
    elif result["direction"] is not None:
        echo(f"trend: {result['direction']}, {result['per_hour']:+.3g} an hour")


@click.command(epilog="Example: firstcause forecast host.disk_used_share")
@click.argument("metric")
@click.option("--limit", type=float, help="Limit of the metric. Default: the one in the rule files.")
@click.option("--minutes", default=2880.0, type=_MINUTES_RANGE, show_default=True, help="Look this far back.")
@json_option
@pass_context
def forecast(ctx: Context, *, metric: str, limit: float | None, minutes: float, as_json: bool) -> None:
    """Forecast when a metric reaches its limit, with an interval. METRIC as in `trend`."""
    result = ctx.ready_app.health.history.forecast(metric, limit, minutes, now())
    if as_json:
        show_json(result)
        return
    echo(result["evidence"])
    if result["reached_at"] is not None:
        latest = result["latest"] or "never"
        echo(f"reached at {result['reached_at']}; earliest {result['earliest']}, latest {latest}")


_SPARKLINE_BLOCKS = "▁▂▃▄▅▆▇█"
_SPARKLINE_WIDTH = 72


def draw_sparkline(values: Sequence[float]) -> str:
    """Draw values as a line of blocks; where there are too many, the largest of each stretch."""
    size = max(1, -(-len(values) // _SPARKLINE_WIDTH))
    drawn = [max(values[start : start + size]) for start in range(0, len(values), size)]
    low, high = min(drawn, default=0.0), max(drawn, default=0.0)
    span = (high - low) or 1.0
    return "".join(
        _SPARKLINE_BLOCKS[round((value - low) / span * (len(_SPARKLINE_BLOCKS) - 1))] for value in drawn
    )


COMMANDS = (check, probe, snapshots, snapshot, diff, trend, forecast)
