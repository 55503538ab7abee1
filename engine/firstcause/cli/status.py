"""status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from firstcause.cli.common import Context, clean, json_option, pass_context, show_json
from firstcause.errors import FirstcauseError

if TYPE_CHECKING:
    from firstcause.config import Settings

_WITHIN = 10.0
_REFUSAL = 400
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what stands in a configuration


@click.command(epilog="Example: firstcause status")
@json_option
@pass_context
def status(ctx: Context, *, as_json: bool) -> None:
    """How the running daemon is: its rules, its store, what is open. Exit 1 where something is wrong."""
    found = _asked(ctx.settings)
    show_json(found) if as_json else _show(found)
    click.get_current_context().exit(1 if found["rules"]["refused"] else 0)


def _asked(settings: Settings) -> dict[str, Any]:
    import httpx

    host = _ANY.get(settings.web.host, settings.web.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.web.port}"
    token = settings.web_token
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.get(f"{url}/api/v1/status", headers=headers, timeout=_WITHIN)
        found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        msg = f"no daemon answers on {url} ({error}); start it with `firstcause run`"
        raise FirstcauseError(msg) from error
    if answer.status_code >= _REFUSAL:
        msg = f"the daemon on {url} answers {answer.status_code}: {found.get('error')}"
        raise FirstcauseError(msg)
    return found


def _show(found: dict[str, Any]) -> None:
    from firstcause.core.text.sizes import spoken

    rules, store = found["rules"], found["store"]
    click.echo(f"firstcause {found['version']} runs; health {found['health']}")
    opened = ", ".join(f"{count} {priority}" for priority, count in found["incidents"].items())
    click.echo(f"incidents  {opened or 'none open'}")
    waiting = f"{store['waiting']} events and {store['unsent']} messages wait"
    click.echo(f"store      {clean(store['url'])}, {spoken(store['bytes'])}; {waiting}")
    click.echo(f"taken in   {_came_in(found['intake'])}")
    click.echo(f"rules      {rules['rules']} rules, {rules['entries']} known errors, {rules['files']} files")
    if refused := rules["refused"]:
        click.secho(f"rule files read at {refused['at']} were not taken, the old ones stay live:", fg="red")
        for line in refused["error"].splitlines():
            click.echo(f"  {clean(line)}")


def _came_in(intake: dict[str, Any]) -> str:
    """What came since the daemon started, and what did not."""
    refused, lost = (
        sum(number for each in intake[name].values() for number in each.values())
        for name in ("rejected", "lost_by_senders")
    )
    told = f"{sum(intake['accepted'].values())} events since the start, {refused} refused"
    return f"{told}; senders dropped {lost} themselves" if lost else told


COMMANDS = (status,)
