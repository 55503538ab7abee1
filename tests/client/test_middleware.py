"""ASGI by starlette in uvicorn, WSGI by wsgiref: on real sockets."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, make_server

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import firstcause
from support.firstcause_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.requests import Request

    from support.faulty_daemon import FaultyDaemon


def took(server: FaultyDaemon) -> list[dict[str, Any]]:
    assert firstcause.flush(20)
    return server.accepted


async def pay(request: Request) -> PlainTextResponse:
    if request.path_params["order"] == "13":
        raise ValueError("no such order")
    return PlainTextResponse("paid")


@contextmanager
def served(app: Any) -> Iterator[str]:
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "uvicorn")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def test_what_an_asgi_application_raises(reporting: FaultyDaemon) -> None:
    app = Starlette(routes=[Route("/orders/{order}/pay", pay, methods=["POST"])])
    watched = firstcause.AsgiMiddleware(
        app, service="web", tenant=lambda scope: dict(scope["headers"]).get(b"x-tenant", b"").decode()
    )
    with served(watched) as url:
        assert httpx.post(f"{url}/orders/1/pay").text == "paid"
        said = httpx.post(f"{url}/orders/13/pay?token=hunter2", headers={"X-Tenant": "acme"})
        assert said.status_code == 500
    (event,) = took(reporting)
    assert event["message"] == "ValueError: no such order"
    assert (event["service"], event["tenant"]) == ("web", "acme")
    assert event["details"]["method"] == "POST"
    assert event["details"]["path"] == "/orders/13/pay"
    assert event["source"]["function"] == "pay"
    assert "hunter2" not in str(event)


def test_the_route_where_the_framework_tells_it(reporting: FaultyDaemon) -> None:
    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        scope["route"] = Route("/orders/{order}", pay)
        raise ValueError

    with pytest.raises(ValueError):
        asyncio.run(firstcause.AsgiMiddleware(app, tenant=lambda _: 1 // 0)({"type": "http"}, None, None))  # type: ignore[arg-type,return-value]
    assert took(reporting)[0]["details"]["route"] == "/orders/{order}"


def test_a_request_that_is_cancelled_is_no_error(reporting: FaultyDaemon) -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise asyncio.CancelledError

    async def run() -> None:
        await firstcause.AsgiMiddleware(app)({"type": "http"}, None, None)  # type: ignore[arg-type]

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert took(reporting) == []


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(app: Callable[..., Iterable[bytes]]) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Closing:
    """A body that fails midway. closed: whether the server could close it."""

    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield b"half"
        raise OSError("disk gone")

    def close(self) -> None:
        self.closed = True


def test_what_a_wsgi_application_raises(reporting: FaultyDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ServerHandler, "log_exception", lambda *_: None)
    body = Closing()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/raises"):
            raise ValueError("no such order")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return body if environ["PATH_INFO"] == "/half" else iter([b"pa", b"id"])

    with serving(firstcause.WsgiMiddleware(app, tenant=lambda environ: environ["HTTP_X_TENANT"])) as url:
        assert httpx.get(f"{url}/fine").text == "paid"
        assert httpx.get(f"{url}/raises/äö?token=hunter2", headers={"X-Tenant": "acme"}).status_code == 500
        httpx.get(f"{url}/half")
    raised, half = took(reporting)
    assert (raised["message"], raised["tenant"]) == ("ValueError: no such order", "acme")
    assert (raised["details"]["method"], raised["details"]["path"]) == ("GET", "/raises/äö")
    assert raised["source"]["function"] == "app"
    assert "hunter2" not in str(raised)
    assert (half["message"], half["details"]["path"]) == ("OSError: disk gone", "/half")
    assert body.closed


def test_the_route_of_a_wsgi_framework(reporting: FaultyDaemon) -> None:
    class Rule:
        rule = "/orders/<order>"

    def app(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        environ["bottle.route"] = Rule()
        raise ValueError

    with pytest.raises(ValueError):
        firstcause.WsgiMiddleware(app)({"PATH_INFO": "/orders/1"}, print)
    assert took(reporting)[0]["details"]["route"] == "/orders/<order>"
