"""Reports what an ASGI or WSGI application raises, and raises it again. No framework is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.client.api import client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def _report_error(
    error: Exception, fields: dict[str, Any], build_details: Callable[[], dict[str, Any]]
) -> None:
    try:
        details = build_details()
    except Exception:  # noqa: BLE001 - a request of whatever shape
        details = {}
    client().report(error, once=True, details=details, **fields)


class AsgiMiddleware:
    """Reports with method, path and route, without the query. tenant: function from scope to tenant."""

    def __init__(
        self,
        app: Callable[[Any, Any, Any], Awaitable[None]],
        *,
        service: str | None = None,
        tenant: Callable[[Scope], str | None] | None = None,
    ) -> None:
        self._app, self._service, self._tenant = app, service, tenant

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            fields = {"service": self._service, "tenant": _resolve_tenant(self._tenant, scope)}
            _report_error(error, fields, lambda: _describe_scope(scope))
            raise


class WsgiMiddleware:
    """Reports with method, path and route, without the query. tenant: function from environ to tenant."""

    def __init__(
        self,
        app: Callable[[Any, Any], Iterable[bytes]],
        *,
        service: str | None = None,
        tenant: Callable[[dict[str, Any]], str | None] | None = None,
    ) -> None:
        self._app, self._service, self._tenant = app, service, tenant

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            body = self._app(environ, start_response)
        except Exception as error:
            self.report_failure(error, environ)
            raise
        return body if isinstance(body, list | tuple) else _WatchedBody(self, environ, body)

    def report_failure(self, error: Exception, environ: dict[str, Any]) -> None:
        """Report what a request of that environ raised."""
        fields = {"service": self._service, "tenant": _resolve_tenant(self._tenant, environ)}
        _report_error(error, fields, lambda: _describe_environ(environ))


class _WatchedBody:
    """A response whose making may yet fail."""

    def __init__(self, middleware: WsgiMiddleware, environ: dict[str, Any], body: Iterable[bytes]) -> None:
        self._middleware, self._environ, self._body = middleware, environ, body
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._parts is None:
                self._parts = iter(self._body)
            return next(self._parts)
        except StopIteration:
            raise
        except Exception as error:
            self._middleware.report_failure(error, self._environ)
            raise

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is None:
            return
        try:
            close()
        except Exception as error:
            self._middleware.report_failure(error, self._environ)
            raise


def _resolve_tenant(tenant: Callable[[Any], str | None] | None, request: Any) -> str | None:
    if tenant is None:
        return None
    try:
        return tenant(request)
    except Exception:  # noqa: BLE001 - the application's own
        return None


def _describe_scope(scope: Scope) -> dict[str, Any]:
    path = scope.get("path")
    details = {"method": scope.get("method"), "path": path, "route": _extract_route(scope.get("route"))}
    return {name: value for name, value in details.items() if value}


def _describe_environ(environ: dict[str, Any]) -> dict[str, Any]:
    path = str(environ.get("SCRIPT_NAME") or "") + str(environ.get("PATH_INFO") or "")
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None) or environ.get("bottle.route")
    details = {
        "method": environ.get("REQUEST_METHOD"),
        # WSGI hands UTF-8 on as if it were Latin-1.
        "path": path.encode("latin-1", "replace").decode("utf-8", "replace"),
        "route": _extract_route(rule),
    }
    return {name: value for name, value in details.items() if value}


def _extract_route(route: object) -> str | None:
    pattern = getattr(route, "path", None) or getattr(route, "rule", None)
    return pattern if isinstance(pattern, str) else None
