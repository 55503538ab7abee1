"""The command status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, json_option, pass_context, show_json, single_line
from firstcause.core.text.listing import join_limited
from firstcause.errors import FirstcauseError

if TYPE_CHECKING:
    from firstcause.config import Settings

_TIMEOUT_S = 10.0
_MAX_SHOWN_REASONS = 3
_MIN_ERROR_STATUS = 400
_LOOPBACK_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what stands in a configuration


@click.command(epilog="Example: firstcause status")
@json_option
@pass_context
def status(ctx: Context, *, as_json: bool) -> None:
    """Show the state of the running daemon. Exit 1 if its rule files were rejected."""
    answer = _fetch_status(ctx.settings)
    show_json(answer) if as_json else _show_status(answer)
    click.get_current_context().exit(1 if answer["rules"]["refused"] else 0)


def _fetch_status(settings: Settings) -> dict[str, Any]:
    import httpx

    host = _LOOPBACK_ADDRESSES.get(settings.web.host, settings.web.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.web.port}"
    token = settings.web_token
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        response = httpx.get(f"{url}/api/v1/status", headers=headers, timeout=_TIMEOUT_S)
        body: dict[str, Any] = response.json()
    except (httpx.HTTPError, ValueError) as error:
        msg = f"no daemon answers on {url} ({error}); start it with `firstcause run`"
        raise FirstcauseError(msg) from error
    if response.status_code >= _MIN_ERROR_STATUS:
        msg = f"the daemon on {url} responded {response.status_code}: {body.get('error')}"
        raise FirstcauseError(msg)
    return body


def _show_status(answer: dict[str, Any]) -> None:
    from firstcause.core.text.sizes import format_size

    rules, store = answer["rules"], answer["store"]
    click.echo(f"firstcause {answer['version']} is running; health {answer['health']}")
    opened = ", ".join(f"{count} {priority}" for priority, count in answer["incidents"].items())
    click.echo(f"incidents  {opened or 'none open'}")
    waiting = f"{store['waiting']} events and {store['unsent']} messages pending"
    click.echo(f"store      {single_line(store['url'])}, {format_size(store['bytes'])}; {waiting}")
    click.echo(f"intake     {_format_intake(answer['intake'])}")
    click.echo(
        f"rules      {rules['rules']} rules, {rules['entries']} catalog entries, {rules['files']} files"
    )
    if hanging := answer.get("notifiers", {}).get("hanging"):
        names = ", ".join(map(single_line, hanging))
        click.secho(f"notifiers  passed over until their earlier call returns: {names}", fg="red")
    if refused := rules["refused"]:
        click.secho(
            f"rule files read at {refused['at']} were rejected; the previous rules stay live:", fg="red"
        )
        for line in refused["error"].splitlines():
            click.echo(f"  {single_line(line)}")


def _format_intake(intake: dict[str, Any]) -> str:
    """Format how many events were accepted since the start, and what was not, with the reasons."""
    parts = [f"{sum(intake['accepted'].values())} events since the start"]
    for name, words in (
        ("rejected", "rejected"),
        ("passed", "ignored as no errors"),
        ("lost_by_senders", "dropped by senders"),
    ):
        counts = {
            f"{format_name} {reason}": count
            for format_name, by_reason in intake[name].items()
            for reason, count in by_reason.items()
        }
        frequent = sorted(counts, key=lambda reason: (-counts[reason], reason))
        reasons = join_limited([f"{reason} {counts[reason]}" for reason in frequent], _MAX_SHOWN_REASONS)
        if counts or name == "rejected":
            parts.append(f"{sum(counts.values())} {words}" + (f" ({reasons})" if reasons else ""))
    return "; ".join(parts)


COMMANDS = (status,)
