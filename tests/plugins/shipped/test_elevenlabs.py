"""The ElevenLabs probe against a server that follows their published description."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

import firstcause_elevenlabs
from firstcause import Reading, Status
from support.scripted_web_server import run_web_server

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

KEY = "sk_1234567890abcdef"


class Vendor:
    """`GET /v1/user/subscription`, by https://elevenlabs.io/docs/api-reference/user/subscription/get."""

    def __init__(self, used: int = 100, most: int = 10_000, status: str = "active") -> None:
        counts = {"character_count": used, "character_limit": most}
        self.told: dict[str, Any] = {"tier": "creator", "status": status, **counts}
        self.refusal: tuple[int, Any] | None = None

    def __call__(self, handler: BaseHTTPRequestHandler, _body: bytes) -> tuple[int, dict[str, str], bytes]:
        if self.refusal is not None:
            return self.refusal[0], {}, json.dumps(self.refusal[1]).encode()
        if handler.headers.get("xi-api-key") != KEY or not handler.path.endswith("/v1/user/subscription"):
            detail = {"status": "invalid_api_key", "message": "Invalid API key"}
            return 401, {}, json.dumps({"detail": detail}).encode()
        return 200, {}, json.dumps(self.told).encode()


def look(url: str, **settings: object) -> Reading:
    table = {"api_key": KEY, "api_url": url, "timeout": 2.0} | settings
    (probe,) = firstcause_elevenlabs.firstcause_probes(firstcause_elevenlabs.Config.model_validate(table))
    assert (probe.name, probe.component) == ("elevenlabs", "elevenlabs")
    return probe.check()


def test_the_quota_and_what_is_left_of_it() -> None:
    for used, status, code in (
        (100, Status.UP, None),
        (9_500, Status.DEGRADED, "ELEVENLABS_QUOTA_EXCEEDED"),
        (10_000, Status.DOWN, "ELEVENLABS_QUOTA_EXCEEDED"),
    ):
        with run_web_server(Vendor(used)) as url:
            reading = look(url)
        assert (reading.status, reading.code) == (status, code)
        assert reading.data == {"characters_left": 10_000 - used, "quota_share": used / 10_000}


def test_a_wrong_key_a_limit_and_nobody_there(tmp_path: Path) -> None:
    vendor = Vendor()
    with run_web_server(vendor) as url:
        wrong = look(url, api_key="sk_wrong_wrong_wrong")
        assert (wrong.status, wrong.code) == (Status.DOWN, "ELEVENLABS_AUTH_FAILED")
        assert wrong.detail == "answered 401, invalid_api_key: Invalid API key"
        env_file = tmp_path / "app.env"
        unset = look(url, api_key=None, env_file=str(env_file))
        assert unset.detail == "ELEVENLABS_API_KEY is not set in app.env"
        env_file.write_text(f"ELEVENLABS_API_KEY={KEY}\n")
        assert look(url, api_key=None, env_file=str(env_file)).status is Status.UP
        vendor.refusal = (429, {"detail": {"status": "too_many_concurrent_requests", "message": "slow down"}})
        assert look(url).code == "ELEVENLABS_RATE_LIMITED"
        vendor.refusal = (500, "oops")
        assert look(url).code == "ELEVENLABS_UNREACHABLE"
        vendor.refusal = (200, ["no subscription"])
        assert look(url).status is Status.DEGRADED
    assert look(url).code == "ELEVENLABS_UNREACHABLE"


def test_an_answer_that_never_ends_is_cut_off() -> None:
    ends = threading.Event()

    def drip(handler: BaseHTTPRequestHandler, _body: bytes) -> tuple[int, dict[str, str], bytes]:
        with contextlib.suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not ends.wait(0.05):
                handler.wfile.write(b"X-A: b\r\n")
        return 200, {}, b""

    with run_web_server(drip) as url:
        reading = look(url, timeout=0.3)
        ends.set()
    assert (reading.status, reading.code, reading.detail) == (
        Status.DOWN, "ELEVENLABS_UNREACHABLE", "no answer within 0.3 s",
    )  # fmt: skip


def test_a_subscription_that_is_past_due_and_slow_answers() -> None:
    with run_web_server(Vendor(status="past_due")) as url:
        assert look(url).detail == "the subscription is past_due"
    with run_web_server(Vendor()) as url:
        assert look(url, degraded_ms=0.001).status is Status.DEGRADED


def test_without_a_key_it_offers_nothing() -> None:
    assert firstcause_elevenlabs.firstcause_probes(firstcause_elevenlabs.Config()) == []
