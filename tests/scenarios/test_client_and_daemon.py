"""Against the daemon itself, as a process of its own that is killed and comes back."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import firstcause
from support.faulty_daemon import free_port
from support.firstcause_process import DaemonProcess, run_daemon, wait_until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(
        '[store]\nurl = "sqlite:///x.db"\n[rules.thresholds]\nregression_floor = 1000000\n'
    )
    return tmp_path


def the_incident(running: DaemonProcess, **headers: str) -> dict[str, Any]:
    """The one there is, whole."""
    (found,) = wait_until(lambda: asked(running, "/incidents", **headers).json()["incidents"], "an incident")
    whole: dict[str, Any] = asked(running, f"/incidents/{found['id']}", **headers).json()
    return whole


def asked(running: DaemonProcess, path: str, **headers: str) -> httpx.Response:
    """An answer; a database that is busy just then is asked again."""

    def answer() -> httpx.Response | None:
        found = httpx.get(f"{running.url}/api/v1{path}", headers=headers, timeout=20)
        return found if found.is_success else None

    found: httpx.Response = wait_until(answer, f"an answer to {path}")
    return found


def test_an_exception_becomes_an_incident_with_its_source(folder: Path) -> None:
    def charge(_card: str) -> None:
        msg = "declined by the bank"
        raise ValueError(msg)

    card = str(4999_123)
    with run_daemon(folder) as running:
        firstcause.configure(running.url, service="checkout", tenant="acme", release="shop@1.4.2")
        with suppress(ValueError), firstcause.watch("PAYMENT_FAILED", details={"order": 17}):
            charge(card)
        assert firstcause.flush(20)
        incident = the_incident(running)
        debug = asked(running, f"/incidents/{incident['id']}/debug").text
    assert incident["root"] == {"code": "PAYMENT_FAILED", "service": "checkout", "tenant": "acme"}
    assert "ValueError: declined by the bank" in debug
    assert "test_client_and_daemon.py" in debug
    assert "charge" in debug
    assert "shop@1.4.2" in debug
    assert card not in debug, "no values of variables"


@pytest.mark.slow
def test_a_killed_daemon_gets_all_that_was_reported_meanwhile_exactly_once(folder: Path) -> None:
    port = free_port()
    firstcause.configure(f"http://127.0.0.1:{port}", service="shop")
    sent = 0

    def report(count: int) -> None:
        nonlocal sent
        for _ in range(count):
            assert firstcause.report("STORM")
            sent += 1
            time.sleep(0.0005)

    for _life in range(3):
        running = DaemonProcess(folder, port)
        try:
            report(400)
        finally:
            running.kill()
        report(200)
    with run_daemon(folder, port) as running:
        report(50)
        assert firstcause.flush(40)
        wait_until(lambda: the_incident(running)["events"] >= sent, "all of them")
        time.sleep(0.5)
        assert the_incident(running)["events"] == sent


def test_its_token_is_brought(folder: Path) -> None:
    (folder / "token").write_text("s3cret-word\n")
    with (folder / "config.toml").open("a") as file:
        file.write('[web]\ntoken_file = "token"\n')
    with run_daemon(folder) as running:
        firstcause.configure(running.url, token_file=folder / "token")
        firstcause.report("A")
        assert firstcause.flush(20)
        assert the_incident(running, Authorization="Bearer s3cret-word")["root"]["code"] == "A"


def test_what_the_client_is_told_by_the_environment_is_nothing_to_the_daemon(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("URL", "TOKEN", "TOKEN_FILE", "SERVICE", "TENANT", "ENVIRONMENT", "RELEASE", "SPOOL"):
        monkeypatch.setenv(f"FIRSTCAUSE_{name}", "http://127.0.0.1:9")
    with run_daemon(folder) as running:
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        monkeypatch.delenv("FIRSTCAUSE_TOKEN_FILE")
        monkeypatch.setenv("FIRSTCAUSE_URL", running.url)
        monkeypatch.setenv("FIRSTCAUSE_SERVICE", "from-the-environment")
        monkeypatch.setenv("FIRSTCAUSE_SPOOL", str(folder / "spool"))
        firstcause.report("A")
        assert firstcause.flush(20)
        assert the_incident(running)["root"]["service"] == "from-the-environment"
