"""apprise with the real library, against HTTP servers on loopback."""

from __future__ import annotations

import html
import io
import json
import logging
import socket
import sys
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
import requests

import firstcause_apprise
from firstcause import DeliveryError, Notification, NotifyReason, Priority, Severity
from firstcause.plugins.manager import PluginManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firstcause import Notifier
    from firstcause.plugins.plugin import PluginState

SECRET = "t0psecret-w0rd"
NOTICE = Notification(
    id="12-1",
    incident_id="7", reason=NotifyReason.FIRST, priority=Priority.P0, severity=Severity.CRITICAL,
    code="X", title="x & <b>", text="CRITICAL: x & <b> #7", body="all of it\nin lines & <tags>",
)  # fmt: skip


class Service:
    """A service that Apprise sends to. status: what it answers next; got: what it took; slow: seconds."""

    def __init__(self) -> None:
        self.status = 200
        self.slow = 0.0
        self.got: list[dict[str, Any]] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"json://ops:{SECRET}@127.0.0.1:{self.port}/{SECRET}/?+X-Key={SECRET}"


@contextmanager
def service() -> Iterator[Service]:
    made = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(made.slow)
            if made.status == 200:
                made.got.append(json.loads(body))
            self.send_response_only(made.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def notifier(*urls: str, **settings: Any) -> Notifier:
    config = firstcause_apprise.Config.model_validate({"urls": list(urls), **settings})
    (made,) = firstcause_apprise.firstcause_notifiers(config)
    return made


def loaded(table: dict[str, Any]) -> tuple[PluginManager, PluginState]:
    host = PluginManager([])
    host.register(firstcause_apprise, "apprise", table)
    host.notifiers()
    (state,) = host.states()
    return host, state


def test_a_service_gets_title_body_and_kind() -> None:
    with service() as chat:
        notifier(chat.url).send(NOTICE)
        sent = notifier(chat.url)
        sent.send(NOTICE.model_copy(update={"id": "2", "severity": Severity.WARNING}))
        sent.send(
            NOTICE.model_copy(update={"id": "3", "reason": NotifyReason.RESOLVED, "text": "RESOLVED: x #7"})
        )
    first, warning, over = chat.got
    assert first["title"] == "[P0] CRITICAL: x & <b> (#7)"
    assert first["message"] == "all of it\nin lines & <tags>"
    assert [each["type"] for each in (first, warning, over)] == ["failure", "warning", "success"]
    assert over["title"] == "[P0] RESOLVED: x & <b> (#7)"


MENTIONS = (
    "@everyone", "@here", "@channel", "@all", "<!channel>", "<!here|here>", "<@U123ABC>", "<!subteam^S1>",
    "<@&4567>", "<@123456>", "<#C123>", "<at>Ann</at>", "x@here.example",
)  # fmt: skip
SERVICES = (
    "discord://4174216298/abcdefghijklmnopqrstuvwxyz0123456789",
    "discord://4174216298/abcdefghijklmnopqrstuvwxyz0123456789?format=markdown",
    "slack://TA1234567/BA1234567/abcdefghij0123456789abcd/#ops",
    "slack://TA1234567/BA1234567/abcdefghij0123456789abcd/#ops?format=markdown&blocks=yes",
    "workflows://example.com:443/workflow1a/sig_abc/",
)


def redirect_to(chat: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses of these services are fixed in the library; send its requests to one on loopback."""
    send = requests.Session.request

    def redirect(session: requests.Session, **options: Any) -> requests.Response:
        return send(session, **options | {"url": f"http://127.0.0.1:{chat.port}/"})

    monkeypatch.setattr(requests.Session, "request", redirect)


@pytest.mark.parametrize("url", SERVICES)
def test_an_errors_text_mentions_nobody(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"db failed for {' '.join(MENTIONS)} at @ noon"
    with service() as chat:
        redirect_to(chat, monkeypatch)
        notifier(url).send(
            NOTICE.model_copy(update={"text": f"CRITICAL: {text}", "body": text, "title": text})
        )
    (got,) = chat.got
    sent = html.unescape(json.dumps(got, ensure_ascii=False))
    assert "allow_mentions" not in got
    for mention in MENTIONS:
        assert mention not in sent
    assert "<at" not in sent
    assert "@\u200beveryone" in sent
    assert "at @ noon" in sent


def test_what_the_url_says_to_ping_is_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    with service() as chat:
        redirect_to(chat, monkeypatch)
        notifier(f"{SERVICES[0]}?ping=@here").send(NOTICE)
    assert "@here" in chat.got[0]["content"]


def test_only_the_services_with_the_tag_are_told() -> None:
    with service() as ops, service() as dev:
        urls = (f"ops={ops.url}", f"dev={dev.url}")
        notifier(*urls, tag="dev").send(NOTICE)
        assert (len(ops.got), len(dev.got)) == (0, 1)
        notifier(*urls).send(NOTICE)
        assert (len(ops.got), len(dev.got)) == (1, 2)
    _host, state = loaded({"urls": list(urls), "tag": "nobody"})
    assert state.problems == (
        "firstcause_notifiers raised ValueError: none of the urls has the tag; see [plugins.apprise] tag",
    )


def test_a_file_holds_one_url_a_line() -> None:
    with service() as chat:
        text = f"# whom we tell\n\nops={chat.url}\n; json://nowhere\n"
        config = firstcause_apprise.Config.model_validate({"urls": text})
        (made,) = firstcause_apprise.firstcause_notifiers(config)
        made.send(NOTICE)
    assert len(chat.got) == 1


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (401, True), (404, True), (408, False), (429, False), (500, False), (503, False)],
)
def test_which_answers_are_final(status: int, permanent: bool) -> None:
    with service() as chat:
        chat.status = status
        with pytest.raises(DeliveryError) as caught:
            notifier(chat.url).send(NOTICE)
    assert (caught.value.permanent, str(caught.value)) == (permanent, f"JSON (entry 1) answered {status}")


def test_nobody_there_and_nobody_answering() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(DeliveryError, match=r"JSON \(entry 1\) gave no answer in time") as caught:
            notifier(f"json://127.0.0.1:{port}/", timeout=0.3).send(NOTICE)
    assert (caught.value.permanent, caught.value.maybe_delivered) == (False, True)
    with pytest.raises(DeliveryError, match=r"JSON \(entry 1\) was not reached or did not take it") as caught:
        notifier(f"json://127.0.0.1:{port}/").send(NOTICE)
    assert (caught.value.permanent, caught.value.maybe_delivered) == (False, True)


def test_a_second_try_tells_only_the_service_that_failed() -> None:
    with service() as chat, service() as phone:
        both = notifier(chat.url, phone.url)
        phone.status = 503
        with pytest.raises(DeliveryError, match=r"entry 2\) answered 503 \(1 of 2 services") as caught:
            both.send(NOTICE)
        assert (caught.value.permanent, set(caught.value.receipts)) == (False, {"1"})
        phone.status = 200
        both.send(NOTICE)
        both.send(NOTICE)
    assert (len(chat.got), len(phone.got)) == (1, 1)


def refusals() -> Iterator[str]:
    """What is said of services that do not take it, and of URLs that are wrong."""
    with service() as chat:
        for status in (401, 500):
            chat.status = status
            with pytest.raises(DeliveryError) as caught:
                notifier(chat.url).send(NOTICE)
            yield str(caught.value)
    with pytest.raises(DeliveryError) as caught:
        notifier(chat.url).send(NOTICE)
    yield str(caught.value)
    wrong = (f"nonsense://{SECRET}", f"slack://{SECRET}", SECRET, f"include {chat.url}", {"url": SECRET})
    for url in wrong:
        _host, state = loaded({"urls": [url]})
        yield from state.problems


def test_no_secret_of_a_url_gets_out(capfd: pytest.CaptureFixture[str]) -> None:
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    # Not by caplog: it listens even where nothing is passed on to the handlers of the daemon's log.
    logging.getLogger().addHandler(handler)
    try:
        said = list(refusals())
    finally:
        logging.getLogger().removeHandler(handler)
    assert len(said) == 8
    printed = capfd.readouterr()
    assert "plugin apprise" in logged.getvalue()
    for text in (*said, logged.getvalue(), printed.out, printed.err):
        assert SECRET not in text


def test_what_apprise_cannot_send_to_is_told_by_its_place() -> None:
    host, state = loaded({"urls": ["json://127.0.0.1/", "nonsense"]})
    assert host.notifiers() == []
    assert state.problems == (
        "firstcause_notifiers raised ValueError: entry 2 of urls is not a URL that Apprise can send to",
    )


def test_the_urls_are_masked_wherever_else_they_turn_up() -> None:
    host, _state = loaded({"urls": [f"json://127.0.0.1/{SECRET}"]})
    assert host.secrets() == [f"json://127.0.0.1/{SECRET}"]


def test_what_is_too_long_for_a_service_is_cut_unless_the_url_says_how() -> None:
    long = NOTICE.model_copy(update={"body": "x" * 40000})
    with service() as chat:
        notifier(chat.url).send(long)
        notifier(f"{chat.url}&overflow=split").send(long)
    assert len(chat.got[0]["message"]) < 40000
    assert len(chat.got) > 2
    assert all(each["message"].strip("x") == "" for each in chat.got)


# Without the library


@pytest.fixture
def _no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "apprise"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "firstcause_apprise.sender", raising=False)
    monkeypatch.setitem(sys.modules, "apprise", None)


@pytest.mark.usefixtures("_no_library")
def test_without_the_library_the_plugin_is_there_and_says_so_where_it_is_configured() -> None:
    _host, state = loaded({})
    assert (state.status, state.problems) == ("loaded", ())
    host, state = loaded({"urls": ["json://127.0.0.1/"]})
    assert host.notifiers() == []
    assert (state.status, state.problems) == (
        "loaded",
        (
            (
                "firstcause_notifiers raised ModuleNotFoundError: "
                f'apprise is not installed; run: {sys.executable} -m pip install "apprise<3,>=2.2"'
            ),
        ),
    )
