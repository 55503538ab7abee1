"""Conditions of firstcause itself on the command line, and what the running daemon says about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.cli.common import echo, echo_wrapped, single_line
from firstcause.errors import FirstcauseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from firstcause.app.application import Application
    from firstcause.config import Settings

_TIMEOUT_S = 10.0
_MIN_ERROR_STATUS = 400
LOOPBACK_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what stands in a configuration
_COLORS = {"unready": "red", "degraded": "yellow", "incomplete": "yellow"}
_FAILURES = ("unready", "degraded")


def ask_daemon(settings: Settings, path: str) -> httpx.Response:
    """Ask the daemon that the settings name. FirstcauseError where none answers."""
    import httpx

    url = get_daemon_url(settings)
    token = settings.web_token
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        return httpx.get(f"{url}{path}", headers=headers, timeout=_TIMEOUT_S)
    except httpx.HTTPError as error:
        msg = f"no daemon answers on {url} ({error}); start it with `firstcause run`"
        raise FirstcauseError(msg) from error


def get_daemon_url(settings: Settings) -> str:
    """Return where the daemon of these settings listens."""
    host = LOOPBACK_ADDRESSES.get(settings.web.host, settings.web.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.web.port}"


def fetch_status(settings: Settings) -> dict[str, Any]:
    """Return the daemon's status. Where its store does not answer, that is what it knows without the store.

    FirstcauseError where no daemon answers, or another program does.
    """
    url = get_daemon_url(settings)
    response = ask_daemon(settings, "/api/v1/status")
    body = _parse_json(response, url)
    if response.status_code < _MIN_ERROR_STATUS:
        return body
    readiness = _parse_json(ask_daemon(settings, "/readyz"), url)
    if readiness.get("conditions"):
        return readiness
    msg = f"the daemon on {url} responded {response.status_code}: {body.get('error')}"
    raise FirstcauseError(msg)


def _parse_json(response: httpx.Response, url: str) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError as error:
        msg = f"no daemon answers on {url} ({error}); start it with `firstcause run`"
        raise FirstcauseError(msg) from error
    return body if isinstance(body, dict) else {}


def add_daemon_conditions(conditions: Sequence[dict[str, Any]], app: Application) -> list[dict[str, Any]]:
    """Add the conditions of the daemon that runs on the same store, if there is one.

    Its listeners, loops and live rules are known to nobody else.
    """
    try:
        status = fetch_status(app.settings)
    except FirstcauseError:
        return list(conditions)
    if status.get("store", {}).get("url") != app.database.display_url:
        return list(conditions)
    by_key = {(condition["code"], condition["about"]): condition for condition in conditions}
    by_key |= {(condition["code"], condition["about"]): condition for condition in status["conditions"]}
    return list(by_key.values())


def has_failure(conditions: Sequence[dict[str, Any]]) -> bool:
    """Whether something that should work does not."""
    return any(condition["level"] in _FAILURES for condition in conditions)


def is_anything_amiss(conditions: Sequence[dict[str, Any]]) -> bool:
    """Whether something does not work or was never set up; a notice alone is not amiss."""
    return any(condition["level"] in _COLORS for condition in conditions)


def show_conditions(conditions: Sequence[dict[str, Any]]) -> None:
    """Print what is wrong with firstcause itself, since when, and the fix."""
    for condition in conditions:
        summary = single_line(condition["summary"])
        echo(f"\n{condition['level']}: {summary}", fg=_COLORS.get(condition["level"]))
        echo(f"  since  {condition['since']}  {condition['code']}")
        for line in condition.get("detail", "").splitlines():
            echo_wrapped("  error  ", single_line(line))
        echo_wrapped("  fix    ", single_line(condition["fix"]))
