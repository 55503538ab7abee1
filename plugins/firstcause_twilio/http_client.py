"""The HTTP client below twilio-python: it tries the addresses of a host side by side, and does not retry.

urllib3 tries one address after the other, each for the whole timeout, so that an SMS waits for an IPv6 that
swallows. twilio-python and what it stands on are imported here only; that takes half a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from twilio.http.http_client import TwilioHttpClient
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from firstcause import describe_connection_error, open_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


def build_http_client(timeout: float, on_response: Callable[..., None] | None) -> TwilioHttpClient:
    """timeout: seconds to connect, and for each read. on_response: gets each response of `requests`."""
    hooks: dict[str, object] = {"response": [on_response] if on_response is not None else []}
    client = TwilioHttpClient(timeout=timeout, request_hooks=hooks)
    for scheme in ("http://", "https://"):
        client.session.mount(scheme, _Adapter(max_retries=0))
    return client


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        try:
            return open_socket(self.host, self.port, float(self.timeout))  # type: ignore[arg-type]
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise NewConnectionError(self, describe_connection_error(error)) from error


class _TlsConnection(HTTPSConnection, _Connection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        super().init_poolmanager(*sizes, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
