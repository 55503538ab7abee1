"""Which store the daemon uses that answers where the settings say. Imports nothing slow."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import TYPE_CHECKING

from firstcause.cli.conditions import LOOPBACK_ADDRESSES
from firstcause.errors import FirstcauseError

if TYPE_CHECKING:
    from firstcause.config import Settings

_TIMEOUT_S = 2.0


def fetch_daemon_store(settings: Settings) -> str | None:
    """Return the store's URL as the daemon shows it; None where no daemon answers or it does not tell us."""
    host, port = LOOPBACK_ADDRESSES.get(settings.web.host, settings.web.host), settings.web.port
    if port == 0:
        return None
    try:
        token = settings.web_token
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        with closing(http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)) as connection:
            connection.request("GET", "/api/v1/status", headers=headers)
            answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError, FirstcauseError):
        return None
    store = answer.get("store") if isinstance(answer, dict) else None
    url = store.get("url") if isinstance(store, dict) else None
    return url if isinstance(url, str) else None
