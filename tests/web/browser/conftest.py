"""A real browser at a real daemon: the scenario's own, or one with whatever the test sends."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from firstcause import Probe, Reading, Remedy, Status, hookimpl
from firstcause.demo import scenario
from firstcause.demo.fake_twilio import FakeTwilio
from firstcause.demo.play import settings_for
from support.firstcause_process import run_daemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from firstcause.config import Settings

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium; playwright brings none of its own.

    Of a module, as playwright's event loop runs as long as it does, and no other can beside it.
    """
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium; apt-get install chromium")
        pytest.skip("no chromium; apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1200, "height": 800})
    made.grant_permissions(["clipboard-read", "clipboard-write"])
    made.set_default_timeout(60_000)
    # A busy machine is late, not wrong.
    expect.set_options(timeout=60_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A tab. Whatever the browser complains of (a script that is refused, a file that is not there) fails."""
    tab = context.new_page()
    complaints: list[str] = []
    tab.on(
        "console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None
    )
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    # What the daemon says of it: read now, as the next tests use the same daemon.
    scene = request.node.funcargs.get("scene")
    log = (scene.folder / "daemon.log").read_text() if isinstance(scene, Scene) else "no daemon of its own"
    assert [text for text in complaints if "ERR_CONNECTION_REFUSED" not in text] == [], log


@dataclass
class Scene:
    """The application with its Twilio, and the daemon as a process of its own that watches it."""

    url: str
    folder: Path
    twilio: FakeTwilio

    def deploy(self, *, whole: bool) -> None:
        """whole: whether the credentials are there."""
        (self.folder / "app.env").write_text(scenario.env_file(has_credentials=whole), encoding="utf-8")

    def report(self, *events: dict[str, Any]) -> None:
        httpx.post(f"{self.url}/api/v1/events", json=list(events), timeout=10).raise_for_status()

    def incidents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v1/incidents", timeout=10).json()[
            "incidents"
        ]
        return found

    def health(self) -> str:
        return str(httpx.get(f"{self.url}/api/v1/health", timeout=10).json()["status"])


@contextmanager
def playing(folder: Path, interval: int = 600, more: str = "") -> Iterator[Scene]:
    """All is well when it begins. interval: seconds between snapshots. more: lines for config.toml."""
    with FakeTwilio() as twilio:
        twilio.add_account(scenario.APP_SID, scenario.APP_TOKEN, [scenario.APP_NUMBER])
        twilio.add_account(scenario.OWN_SID, scenario.OWN_TOKEN, [scenario.OWN_NUMBER])
        (folder / "app.env").write_text(scenario.env_file(has_credentials=True), encoding="utf-8")
        config = _toml(settings_for(folder, twilio.url), interval) + more
        (folder / "config.toml").write_text(config, encoding="utf-8")
        with run_daemon(folder) as running:
            scene = Scene(running.url, folder, twilio)
            wait_until(lambda: scene.health() == "UP", "the first health check")
            yield scene


def _toml(settings: Settings, interval: int) -> str:
    """The demo's settings as a file.

    The probe looks so often that nobody waits for it, and snapshots are so rare that a regression which
    goes on does not count up the incident while a test compares it.
    """
    twilio = settings.plugins["twilio"]
    sms = twilio["sms"]
    return f"""
[store]
url = "{settings.store.url}"
[notify]
group_wait = 2
[[notify.routes]]
name = "on call"
notifiers = ["twilio-sms", "console"]
[health]
interval = {interval}
env_file = "{settings.health.env_file}"
[plugins.twilio]
env_file = "{twilio["env_file"]}"
api_url = "{twilio["api_url"]}"
timeout = 5
interval = 1
[plugins.twilio.sms]
account_sid = "{sms["account_sid"]}"
auth_token = "{sms["auth_token"]}"
from_number = "{sms["from_number"]}"
to = {sms["to"]}
""".replace("'", '"')


class Toolbox:
    """A plugin with probes to press, and a remedy of which it can be told whether it ran."""

    __name__ = "toolbox"

    def __init__(self) -> None:
        self.flushed = 0

    @hookimpl
    def firstcause_probes(self) -> list[Probe]:
        def well(detail: str) -> Any:
            return lambda: Reading(status=Status.UP, detail=detail, latency_ms=1.5)

        def slow() -> Reading:
            return Reading(
                status=Status.DEGRADED, detail="answers slowly", latency_ms=900.0, code="REDIS_SLOW"
            )

        return [
            Probe("redis", "redis", slow, "REDIS_CONNECTION_ERROR"),
            Probe(
                "companies",
                "companies",
                well("212"),
                "COMPANY_DATABASE_EMPTY",
                button_label="Re-scan companies",
            ),
        ]

    @hookimpl
    def firstcause_remedies(self) -> list[Remedy]:
        def run() -> str:
            self.flushed += 1
            return "the cache is fresh"

        return [Remedy("refresh-redis-cache", "redis", lambda: "DEL cache:*, then warm up", run)]
