"""check, probe, snapshots, snapshot, diff, trend, forecast."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, clean, json_option, now, pass_context, show_json, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPAN = click.FloatRange(min=1, max=60 * 24 * 400)
_BAD = {"DEGRADED", "DOWN"}
_ABSENT = "absent"


@click.command(epilog="Example: firstcause check --json")
@click.argument("probes", nargs=-1, metavar="[PROBE]...")
@json_option
@pass_context
def check(ctx: Context, *, probes: tuple[str, ...], as_json: bool) -> None:
    """One health check with every probe, or with those named.

    With every probe, how it is now is kept and compared with the last known good state. Exit 1 where
    anything is not UP or is worse than it was.
    """
    found = ctx.ready_service.tick(now(), probes or None)
    if as_json:
        show_json(found)
    else:
        _show_readings(found["infrastructure"])
        if found["snapshot_id"] is not None:
            _show_comparison(found["comparison"])
    _exit(bad=found["status"] in _BAD or found["comparison"]["is_regression"])


@click.command(epilog="Example: firstcause probe twilio")
@click.argument("name")
@json_option
@pass_context
def probe(ctx: Context, *, name: str, as_json: bool) -> None:
    """Run one probe now. Exit 1 where it is not UP."""
    found = ctx.ready_service.tick(now(), [name])
    if as_json:
        show_json({"name": name, **found["infrastructure"][name]})
    else:
        _show_readings(found["infrastructure"])
    _exit(bad=found["status"] in _BAD)


def _exit(*, bad: bool) -> None:
    click.get_current_context().exit(1 if bad else 0)


def _show_readings(infrastructure: dict[str, Any]) -> None:
    if not infrastructure:
        click.echo("no probes are configured; README.md shows how")
        return
    rows = [
        (name, one["status"], "" if one["latency_ms"] is None else f"{one['latency_ms']:g} ms", one["detail"])
        for name, one in infrastructure.items()
    ]
    show_table(("PROBE", "STATUS", "TOOK", "DETAIL"), rows)


def _show_comparison(found: dict[str, Any]) -> None:
    since = found.get("time_since_last_good")
    when = f" (the last known good state is {since:g} minutes old)" if since else ""
    click.echo(f"\n{clean(found['message'])}{when}")
    if found["suggested_rollback"]:
        click.echo(f"to put it back: {clean(found['suggested_rollback'])}")
    if found["changes"]:
        click.echo()
        show_table(
            ("CHANGED", "WHAT", "BEFORE", "AFTER", "SEVERITY", "LIKELY THE CAUSE"),
            [_change(one) for one in found["changes"]],
        )


def _change(one: dict[str, Any]) -> tuple[object, ...]:
    likely = one.get("likelihood")
    share = f"{likely:.0%}" if likely is not None else ""
    before, after = _value(one["before"]), _value(one["after"])
    return one["category"], one["name"], before, after, one["severity"], share


def _value(given: object) -> str:
    return f"{given:g}" if isinstance(given, float) else str(given)


@click.command(epilog="Example: firstcause snapshots --limit 10")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@json_option
@pass_context
def snapshots(ctx: Context, *, limit: int, as_json: bool) -> None:
    """How everything was, the latest first."""
    found = ctx.ready_service.history.snapshots(limit)
    if as_json:
        show_json({"snapshots": found})
        return
    if not found:
        click.echo("no snapshot yet; `firstcause check` takes one")
        return
    rows = [(one["id"], one["taken_at"], one["status"], _standing(one)) for one in found]
    show_table(("ID", "TAKEN", "STATUS", "GOOD"), rows)


def _standing(one: dict[str, Any]) -> str:
    words = ["last known good" if one["last_known_good"] else "good" if one["good"] else ""]
    if one["pinned_by"]:
        words.append(f"pinned by {one['pinned_by']}")
    return ", ".join(filter(None, words))


@click.command(epilog="Example: firstcause snapshot good --json")
@click.argument("name", metavar="ID")
@click.option("--pin", is_flag=True, help="Let it be the last known good state, whatever comes later.")
@click.option("--unpin", is_flag=True, help="Let the rules choose the last known good state again.")
@click.option("--by", default=getpass.getuser, help="Who says so.")
@json_option
@pass_context
def snapshot(ctx: Context, *, name: str, pin: bool, unpin: bool, by: str, as_json: bool) -> None:
    """How everything was at one moment. ID is a number, `latest`, or `good`, the last known good state."""
    if pin and unpin:
        msg = "--pin and --unpin exclude each other; give one"
        raise click.UsageError(msg)
    history = ctx.ready_service.history
    if unpin:
        history.unpin(now(), by)
    found = history.pin(name, now(), by) if pin else history.snapshot(name)
    if as_json:
        show_json(found)
        return
    click.echo(
        f"snapshot {found['id']} of {found['taken_at']}: {found['status']} {_standing(found)}".rstrip()
    )
    _show_snapshot(found)


def _show_snapshot(found: dict[str, Any]) -> None:
    _show_readings(found["infrastructure"])
    slow = [(name, one["p95_ms"], one["p99_ms"]) for name, one in found["performance"].items()]
    if rows := [(name, f"{p95:g} ms", f"{p99:g} ms") for name, p95, p99 in slow if p95 is not None]:
        click.echo()
        show_table(("PROBE", "P95", "P99"), rows)
    errors = found["errors"]
    click.echo(
        f"\nerrors in {errors['seconds']:g} s: {errors['critical']} critical, {errors['warning']} warnings, "
        f"{errors['info']} infos; {found['alerts_open']} alerts open"
    )
    if errors["top"]:
        show_table(("ERROR", "COUNT"), [(each["code"], each["count"]) for each in errors["top"]])
    counts = [f"{name} {value:g}" for name, value in found["data"].items()]
    settings = found["configuration"]
    present = sum(each != _ABSENT for each in settings.values())
    for what, listed in (
        ("never seen before", errors["new"]),
        ("active", dict.fromkeys(each["code"] for each in found["alerts"])),
        ("counts", counts),
        ("settings", [f"{present} of {len(settings)} present"] if settings else []),
    ):
        if listed:
            click.echo(f"{what}: {clean(', '.join(listed))}")


@click.command(epilog="Example: firstcause diff good latest")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@json_option
@pass_context
def diff(ctx: Context, *, before: str, after: str, as_json: bool) -> None:
    """What of snapshot B is not as it was in A. Exit 1 where it is worse."""
    found = ctx.ready_service.history.diff(before, after)
    if as_json:
        show_json(found)
    else:
        _show_comparison(found)
    _exit(bad=found["is_regression"])


@click.command(epilog="Example: firstcause trend redis.latency_ms --minutes 60")
@click.argument("metric")
@click.option("--minutes", default=1440.0, type=_SPAN, show_default=True, help="How far back to look.")
@json_option
@pass_context
def trend(ctx: Context, *, metric: str, minutes: float, as_json: bool) -> None:
    """A metric over time, and whether it goes up or down.

    METRIC is `errors`, `errors.CODE`, `errors.critical`, `alerts`, `health` (the share of probes that are
    UP), or PROBE.MEASUREMENT.
    """
    found = ctx.ready_service.history.trend(metric, minutes, now())
    if as_json:
        show_json(found)
        return
    if not found["count"]:
        click.echo(f"nothing was measured of {metric} in that time")
        return
    click.echo(sparkline([each["value"] for each in found["points"]]))
    click.echo(
        f"{metric}: {found['last']:g} now, {found['min']:g} to {found['max']:g}, half of {found['count']} "
        f"below {found['median']:g}"
    )
    if found["direction"] == "flat":
        click.echo("trend: flat")
    elif found["direction"] is not None:
        click.echo(f"trend: {found['direction']}, {found['per_hour']:+.3g} an hour")


@click.command(epilog="Example: firstcause forecast host.disk_used_share")
@click.argument("metric")
@click.option("--limit", type=float, help="Where it ends; by default what the rule files say.")
@click.option("--minutes", default=2880.0, type=_SPAN, show_default=True, help="How far back to look.")
@json_option
@pass_context
def forecast(ctx: Context, *, metric: str, limit: float | None, minutes: float, as_json: bool) -> None:
    """When a metric reaches its limit, with an interval, by its trend. METRIC as in `trend`."""
    found = ctx.ready_service.history.forecast(metric, limit, minutes, now())
    if as_json:
        show_json(found)
        return
    click.echo(found["evidence"])
    if found["reached_at"] is not None:
        latest = found["latest"] or "never"
        click.echo(f"reached at {found['reached_at']}; earliest {found['earliest']}, latest {latest}")


_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 72


def sparkline(values: Sequence[float]) -> str:
    """The values as a line of blocks, the largest of each stretch where there are too many."""
    size = max(1, -(-len(values) // _WIDTH))
    drawn = [max(values[at : at + size]) for at in range(0, len(values), size)]
    low, high = min(drawn, default=0.0), max(drawn, default=0.0)
    span = (high - low) or 1.0
    return "".join(_BLOCKS[round((value - low) / span * (len(_BLOCKS) - 1))] for value in drawn)


COMMANDS = (check, probe, snapshots, snapshot, diff, trend, forecast)
