"""Settings of the client: from configure(), else from the environment."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

DEFAULT_URL = "http://127.0.0.1:8377"

MIB = 1024 * 1024


class Settings(NamedTuple):
    """url: of the daemon, "" for reporting nothing. token_file: read again whenever a connection is made.

    service, tenant, environment, release: of every event that names none itself. in_app: packages that
    count as the application's own code wherever they are installed. spool: the folder for what cannot be
    sent, None for the user's state folder, "" for none; spool_bytes: the most in it. queue_size: events
    that may wait in memory. timeout: seconds for one answer. exit_within: seconds at the process's end.
    """

    url: str = DEFAULT_URL
    token: str | None = None
    token_file: str | None = None
    service: str | None = None
    tenant: str | None = None
    environment: str | None = None
    release: str | None = None
    in_app: tuple[str, ...] = ()
    spool: str | None = None
    spool_bytes: int = 64 * MIB
    queue_size: int = 4096
    timeout: float = 10.0
    exit_within: float = 2.0


_ENV_SETTINGS = ("url", "token", "token_file", "service", "tenant", "environment", "release", "spool")


def read_environment() -> dict[str, str]:
    """Settings by FIRSTCAUSE_URL, FIRSTCAUSE_TOKEN and so on, those that are set."""
    variables = {name: os.environ.get(f"FIRSTCAUSE_{name.upper()}") for name in _ENV_SETTINGS}
    return {name: value.strip() for name, value in variables.items() if value is not None}


def resolve_settings(**overrides: Any) -> Settings:
    """Build the settings: arguments, else environment, else defaults. ValueError: what is wrong."""
    explicit = {name: value for name, value in overrides.items() if value is not None}
    resolved = Settings(**(read_environment() | explicit))
    if resolved.url:
        _check_url(resolved.url)
    for name in ("spool_bytes", "queue_size", "timeout", "exit_within"):
        value = getattr(resolved, name)
        if not isinstance(value, int | float) or value < 0:
            msg = f"{name} is {value!r}; give a number that is not negative"
            raise ValueError(msg)
    in_app = (resolved.in_app,) if isinstance(resolved.in_app, str) else tuple(resolved.in_app)
    return resolved._replace(url=resolved.url.rstrip("/"), in_app=in_app)


def _check_url(url: str) -> None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        is_invalid = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0
    except ValueError:
        is_invalid = True
    if is_invalid:
        # Not the URL itself: a password may stand in it.
        msg = f"the url of the daemon must be like {DEFAULT_URL}"
        raise ValueError(msg)
