"""webhook, http and console against real sockets."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import ValidationError

import firstcause_console
import firstcause_http
import firstcause_webhook
from firstcause import DeliveryError, Notification, NotifyReason, Priority, Reading, Severity, Status
from support.certificate_chain import Authority
from support.mail_server import make_certificate
from support.scripted_web_server import Response, run_web_server
from support.swallowing_address import resolve_to_swallowing_first

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

NOTICE = Notification(
    id="12-1",
    incident_id="7", reason=NotifyReason.FIRST, priority=Priority.P0, severity=Severity.CRITICAL,
    code="X", title="x", text="CRITICAL: x #7", body="all of it",
)  # fmt: skip


def post(url: str, **settings: Any) -> str | None:
    config = firstcause_webhook.Config.model_validate({"url": url, **settings})
    (notifier,) = firstcause_webhook.firstcause_notifiers(config)
    return notifier.send(NOTICE)


def test_a_webhook_gets_all_of_it_signed() -> None:
    got: list[tuple[Any, bytes]] = []

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> Response:
        got.append((handler.headers, body))
        return 204, {"X-Request-Id": "r-1"}, b""

    with run_web_server(answer) as url:
        assert post(url, secret="shared", headers={"X-Team": "ops"}) == "r-1"
    headers, body = got[0]
    expected = hmac.new(b"shared", body, hashlib.sha256).hexdigest()
    assert headers["X-Firstcause-Signature"] == f"sha256={expected}"
    assert (headers["X-Team"], headers["Idempotency-Key"]) == ("ops", "12-1")
    assert json.loads(body) == NOTICE.model_dump(mode="json")


DATES = {"Date": "Sun, 01 Nov 2026 03:00:00 GMT", "Retry-After": "Sun, 01 Nov 2026 03:00:20 GMT"}


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "wait"),
    [
        (400, {}, True, None),
        (301, {"Location": "/y"}, True, None),
        (404, {}, True, None),
        (429, {"Retry-After": "12"}, False, "12"),
        (503, DATES, False, 20),
        (503, {**DATES, "Date": "Sun, 01 Nov 2026 03:00:00 -0000"}, False, 20),
        (503, {"Retry-After": DATES["Retry-After"]}, False, DATES["Retry-After"]),
        (503, {"Retry-After": "soon"}, False, "soon"),
        (500, {}, False, None),
    ],
)
def test_which_answers_of_a_webhook_are_final(
    status: int, headers: dict[str, str], permanent: bool, wait: float | str | None
) -> None:
    with (
        run_web_server(lambda _handler, _body: (status, headers, b"")) as url,
        pytest.raises(DeliveryError) as caught,
    ):
        post(url, headers={"Authorization": "Bearer hunter22"})
    assert (caught.value.permanent, caught.value.retry_after) == (permanent, wait)
    assert "hunter22" not in str(caught.value)


def test_a_webhook_that_is_away_may_be_tried_again() -> None:
    with pytest.raises(DeliveryError, match="cannot be reached") as caught:
        post("http://127.0.0.1:9/")
    assert not caught.value.permanent


def test_a_webhook_that_takes_it_and_answers_late_may_have_it() -> None:
    release = threading.Event()

    def take(_handler: BaseHTTPRequestHandler, _body: bytes) -> Response:
        release.wait(10)
        return 200, {}, b""

    def drip(handler: BaseHTTPRequestHandler, _body: bytes) -> Response:
        with contextlib.suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not release.wait(0.05):
                handler.wfile.write(b"X-A: b\r\n")
        return 200, {}, b""

    for answer in (take, drip):
        release.clear()
        with run_web_server(answer) as url:
            with pytest.raises(DeliveryError, match="no answer within") as caught:
                post(url, timeout=0.3)
            release.set()
        assert (caught.value.maybe_delivered, caught.value.permanent) == (True, False)
    with pytest.raises(DeliveryError, match=r"cannot be reached: ConnectError: .*refused") as caught:
        post("http://127.0.0.1:9/")
    assert not caught.value.maybe_delivered


def test_a_webhook_without_a_url_is_none() -> None:
    assert firstcause_webhook.firstcause_notifiers(firstcause_webhook.Config()) == []
    with pytest.raises(ValidationError):
        firstcause_webhook.Config.model_validate({"url": "nonsense"})


def look(url: str, **check: Any) -> Reading:
    config = firstcause_http.Config.model_validate({"checks": {"site": {"url": url, **check}}})
    (probe,) = firstcause_http.firstcause_probes(config)
    return probe.check()


def test_a_site_that_is_well_slow_wrong_or_gone() -> None:
    with run_web_server(lambda _handler, _body: (200, {}, b"all systems go")) as url:
        assert look(url, expect_text="systems").status is Status.UP
        assert look(url, degraded_ms=0.001).status is Status.DEGRADED
        missing = look(url, expect_text="nowhere")
        wrong = look(url, expect_status=204, code="MINE")
    assert (missing.status, missing.detail) == (Status.DOWN, "the answer lacks 'nowhere'")
    assert (wrong.status, wrong.code, wrong.detail) == (Status.DOWN, "MINE", "answered 200, not 204")
    gone = look(url)
    assert (gone.status, gone.code) == (Status.DOWN, "PLATFORM_HEALTH_CHECK_CRITICAL")
    assert gone.detail == "ConnectError: Connection refused"
    assert "ConnectError: [Errno -" in look("http://no-such-host.invalid/").detail


def test_our_own_preparations_are_not_the_sites_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    made = httpx.AsyncClient

    def slowly(**settings: Any) -> httpx.AsyncClient:
        time.sleep(0.6)
        return made(**settings)

    monkeypatch.setattr(httpx, "AsyncClient", slowly)
    with run_web_server(lambda _handler, _body: (200, {}, b"ok")) as url:
        reading = look(url, degraded_ms=500)
    assert (reading.status, reading.latency_ms is not None) == (Status.UP, True)


def test_a_site_that_never_ends_its_answer_is_cut_off() -> None:
    def trickle(handler: BaseHTTPRequestHandler, _body: bytes) -> Response:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b".")
            time.sleep(0.05)
        return 200, {}, b""

    with run_web_server(trickle) as url:
        reading = look(url, timeout=0.3)
    assert (reading.status, reading.detail) == (Status.DOWN, "no answer within 0.3 s")


def test_what_is_sent_and_what_must_be_found_in_the_answer() -> None:
    seen: list[tuple[str, str | None, bytes]] = []

    def echo(handler: BaseHTTPRequestHandler, body: bytes) -> Response:
        seen.append((handler.command, handler.headers.get("X-Key"), body))
        return 200, {}, b'{"queue": 17, "status": "ok"}'

    with run_web_server(echo) as url:
        asked = {"method": "POST", "headers": {"X-Key": "open-sesame"}, "body": "ping"}
        assert look(url, expect_pattern=r'"queue": \d+', **asked).status is Status.UP
        wrong = look(url, expect_pattern=r'"queue": \d{5,}')
        slow = look(url, degraded_ms=0.001, slow_code="HTTP_LATENCY_HIGH")
    assert seen[0] == ("POST", "open-sesame", b"ping")
    assert (wrong.status, wrong.detail) == (Status.DOWN, r'nothing in the answer fits "queue": \d{5,}')
    assert slow.code == "HTTP_LATENCY_HIGH"
    with pytest.raises(ValidationError, match="is not a regular expression"):
        look(url, expect_pattern="(")


def test_a_certificate_that_ends_soon_or_that_nobody_vouches_for(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    trusted = tmp_path / "ca.pem"
    trusted.write_text(made.ca)
    with run_web_server(lambda _handler, _body: (200, {}, b"ok"), made.context) as url:
        soon = look(url, ca_file=str(trusted))
        assert (soon.status, soon.code) == (Status.DEGRADED, "TLS_CERTIFICATE_EXPIRING")
        assert 0 < float(str(soon.data["certificate_days_to_expiry"])) < 1
        assert look(url, ca_file=str(trusted), certificate_days=0).status is Status.UP
        stranger = look(url)
        assert (stranger.status, stranger.code) == (Status.DOWN, "TLS_UNTRUSTED_CA")
        elsewhere = look(url.replace("127.0.0.1", "localhost"), ca_file=str(trusted))
        assert (elsewhere.status, elsewhere.code) == (Status.DOWN, "TLS_HOSTNAME_MISMATCH")
    (tmp_path / "empty.pem").write_text("no certificate\n")
    for name in ("missing.pem", "empty.pem"):
        assert f"ca_file {tmp_path / name} cannot be used: " in look(url, ca_file=str(tmp_path / name)).detail


@pytest.mark.parametrize(
    ("root", "middle", "own", "said"),
    [
        (90, 90, 5, "the certificate of 127.0.0.1 ends in 5.0 days"),
        (90, 6, 90, "the authority's certificate 'Middle' behind 127.0.0.1 ends in 6.0 days"),
        (7, 90, 90, "the authority's certificate 'Root' behind 127.0.0.1 ends in 7.0 days"),
        (90, 90, 90, "answered 200"),
    ],
)
def test_every_certificate_of_the_chain_counts(
    tmp_path: Path, root: float, middle: float, own: float, said: str
) -> None:
    authority = Authority("Root", root)
    context = Authority("Middle", middle, authority).make_server_context(tmp_path, own)
    (tmp_path / "ca.pem").write_text(authority.pem)
    with run_web_server(lambda _handler, _body: (200, {}, b"ok"), context) as url:
        reading = look(url, ca_file=str(tmp_path / "ca.pem"))
    assert reading.detail.startswith(said)
    assert reading.code == (None if min(root, middle, own) > 14 else "TLS_CERTIFICATE_EXPIRING")
    assert float(str(reading.data["certificate_days_to_expiry"])) == pytest.approx(
        min(root, middle, own), 0.01
    )


def answer_always(answer: Response) -> Callable[[BaseHTTPRequestHandler, bytes], Response]:
    return lambda _handler, _body: answer


def test_the_certificates_of_every_redirect_count(tmp_path: Path) -> None:
    authority = Authority("Root", 90)
    (tmp_path / "ca.pem").write_text(authority.pem)
    soon, later = (authority.make_server_context(tmp_path, days) for days in (3, 80))
    with run_web_server(lambda _handler, _body: (200, {}, b"ok"), later) as target:
        for status, first in ((302, soon), (301, later)):
            answer: Response = (status, {"Location": target, "Content-Length": "0"}, b"")
            with run_web_server(answer_always(answer), first) as url:
                reading = look(url, ca_file=str(tmp_path / "ca.pem"))
            assert reading.code == ("TLS_CERTIFICATE_EXPIRING" if first is soon else None)
            assert reading.data["http_status"] == 200


def test_a_site_that_never_ends_its_headers_is_cut_off_and_asked_anew() -> None:
    ends = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler, _body: bytes) -> Response:
        if not ends.is_set():
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            with contextlib.suppress(OSError):
                while not ends.wait(0.05):
                    handler.wfile.write(b"X-A: b\r\n")
        return 200, {}, b"ok"

    with run_web_server(trickle) as url:
        reading = look(url, timeout=0.4)
        assert (reading.status, reading.detail) == (Status.DOWN, "no answer within 0.4 s")
        ends.set()
        assert look(url, timeout=5).status is Status.UP


def test_an_address_that_swallows_does_not_hold_up_the_one_that_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with run_web_server(lambda _handler, _body: (200, {}, b"ok")) as url:
        address = httpx.URL(url)
        with resolve_to_swallowing_first("shop.example", address.port or 0, monkeypatch):
            reading = look(str(address.copy_with(host="shop.example")), timeout=5)
    assert reading.status is Status.UP, reading.detail
    assert reading.latency_ms is not None
    assert reading.latency_ms < 4000


def test_the_console_says_the_line_or_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    for full, expected in ((False, "CRITICAL: x #7\n"), (True, "all of it\n")):
        (notifier,) = firstcause_console.firstcause_notifiers(firstcause_console.Config(full=full))
        notifier.send(NOTICE)
        assert capsys.readouterr().err == expected
        assert notifier.last_resort
