"""`firstcause run` as a process: intake, reload, one daemon a store, an orderly end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import httpx

from support.firstcause_process import PROGRAM, run_cli, run_cli_json, run_daemon, wait_until


def configure(folder: Path, store_url: str = "", more: str = "", wait: str = "2s") -> None:
    store = f'[store]\nurl = "{store_url}"\n' if store_url else ""
    (folder / "config.toml").write_text(f'{store}[notify]\ngroup_wait = "{wait}"\n{more}')


def test_errors_by_http_and_command_line_become_one_incident_said_once(
    tmp_path: Path, store_url: str
) -> None:
    configure(tmp_path, store_url, wait="0s")
    with run_daemon(tmp_path) as running:
        # A silence, not a wait, holds the message back until both reports are in, however long that takes.
        silence = {"matchers": ["code=~SMS_DELIVERY_FAILURE|TWILIO_API_FAILURE"], "for": "1h"}
        silenced = httpx.post(f"{running.url}/api/v1/silences", json=silence, timeout=60).raise_for_status()
        events = [{"code": "SMS_DELIVERY_FAILURE", "tenant": tenant} for tenant in ("acme", "bolt", "cora")]
        taken = httpx.post(f"{running.url}/api/v1/events", json=events, timeout=60)
        assert (taken.status_code, taken.json()) == (202, {"accepted": 3, "rejected": []})
        run_cli("report", "TWILIO_API_FAILURE", folder=tmp_path)
        wait_until(lambda: _count_alerts(running.url) == [4], "one incident with four alerts")
        silence_url = f"{running.url}/api/v1/silences/{silenced.json()['id']}"
        httpx.delete(silence_url, timeout=60).raise_for_status()
        found = wait_until(
            lambda: next((one for one in _incidents(running.url) if one["notifications"]), None),
            "a notification",
        )
        assert found["root"]["code"] == "TWILIO_API_FAILURE"
        assert len(found["alerts"]) == 4
        assert running.log().count("CRITICAL: Twilio API connection failed") == 1
        assert running.stop() == 0
        assert "stopped; all that was accepted is stored" in running.log()
    assert run_cli_json("incidents", folder=tmp_path)["incidents"][0]["id"] == found["id"]


def _count_alerts(url: str) -> list[int]:
    """Return the number of alerts of each incident."""
    return [len(alerts) for one in _incidents(url) if isinstance(alerts := one["alerts"], list)]


def _incidents(url: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = httpx.get(f"{url}/api/v1/incidents", timeout=60).json()["incidents"]
    return found


def test_sighup_takes_good_rules_and_refuses_broken_ones(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    entry = (
        "component: mine\ncatalog:\n  - {{code: MINE, title: {title}, category: DATA, severity: CRITICAL}}\n"
    )
    (rules / "mine.yaml").write_text(entry.format(title="first"))
    configure(tmp_path, more='[rules]\npaths = ["shipped", "rules"]\n')
    with run_daemon(tmp_path) as running:

        def title() -> str:
            entries = httpx.get(f"{running.url}/api/v1/catalog", timeout=10).json()["entries"]
            return next(str(one["title"]) for one in entries if one["code"] == "MINE")

        assert title() == "first"
        (rules / "mine.yaml").write_text(entry.format(title="second"))
        running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: title() == "second", "the new rules")
        (rules / "mine.yaml").write_text("component: mine\ncatalog: 7\n")
        running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "rules not reloaded, the old ones stay live" in running.log(), "the refusal")
        assert "mine.yaml:2:10" in running.log()
        assert title() == "second"


def test_sighup_neither_ends_a_daemon_that_starts_nor_aborts_one_that_ends(tmp_path: Path) -> None:
    configure(tmp_path)
    env = {**os.environ, "FIRSTCAUSE_WEB__PORT": "0"}
    with (tmp_path / "log").open("wb") as output:
        process = subprocess.Popen([*PROGRAM, "run"], cwd=tmp_path, stdout=output, stderr=output, env=env)

    def read_log() -> str:
        assert process.poll() is None, (tmp_path / "log").read_text()
        return (tmp_path / "log").read_text()

    try:
        # From the moment that the process handles it, as the system says, to the moment that it listens.
        wait_until(lambda: _catches(process.pid, signal.SIGHUP), "the handler")
        while "firstcause listens on" not in read_log():
            process.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        wait_until(lambda: "rules reloaded" in read_log(), "the reload that was asked for while it started")
        process.send_signal(signal.SIGTERM)
        while process.poll() is None:
            process.send_signal(signal.SIGHUP)
            time.sleep(0.005)
        assert process.returncode == 0
    finally:
        process.kill()


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal, as Linux says."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


def test_broken_rules_at_the_start_stop_it_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.yaml").write_text("component: mine\ncatalog: 7\n")
    configure(tmp_path, more='[rules]\npaths = ["rules"]\n')
    done = run_cli("run", folder=tmp_path, ok=1)
    assert "mine.yaml:2:10" in done.stderr


def test_one_daemon_a_store(tmp_path: Path, store_url: str) -> None:
    configure(tmp_path, store_url, "[web]\nport = 0\n")
    with run_daemon(tmp_path) as running:
        done = run_cli("run", folder=tmp_path, ok=1)
        assert "another" in done.stderr
        assert httpx.get(f"{running.url}/healthz", timeout=10).status_code == 200


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    configure(tmp_path)
    with run_daemon(tmp_path) as running:
        port = running.url.rpartition(":")[2]
        other = tmp_path / "other"
        other.mkdir()
        (other / "config.toml").write_text(f'[store]\nurl = "sqlite:///{other}/x.db"\n[web]\nport = {port}\n')
        done = run_cli("run", folder=other, ok=2)
        assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    import sqlite3  # noqa: PLC0415

    configure(tmp_path, f"sqlite:///{tmp_path}/x.db")
    run_cli("db", "upgrade", folder=tmp_path)
    with sqlite3.connect(tmp_path / "x.db") as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
    done = run_cli("run", folder=tmp_path, ok=1)
    assert "9999" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


ENTRY = "component: mine\ncatalog:\n  - {{code: MINE, title: {title}, category: DATA, severity: CRITICAL}}\n"


def test_rules_are_taken_when_they_are_saved_and_a_broken_file_is_said_everywhere(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "mine.yaml").write_text(ENTRY.format(title="first"))
    configure(tmp_path, more='[rules]\npaths = ["shipped", "rules"]\n')
    with run_daemon(tmp_path) as running, httpx.Client(base_url=running.url, timeout=10) as client:
        port = running.url.rpartition(":")[2]
        configure(tmp_path, more=f'[rules]\npaths = ["shipped", "rules"]\n[web]\nport = {port}\n')

        def title() -> str:
            entries = client.get("/api/v1/catalog").json()["entries"]
            return next(str(one["title"]) for one in entries if one["code"] == "MINE")

        # As editors save: a new file moved over the old one.
        (rules / ".mine.tmp").write_text(ENTRY.format(title="second"))
        (rules / ".mine.tmp").rename(rules / "mine.yaml")
        wait_until(lambda: title() == "second", "the saved rules")
        calm = run_cli("status", folder=tmp_path).stdout
        assert "none open" in calm
        assert " KiB; 0 events and 0 messages pending" in calm

        (rules / "mine.yaml").write_text(ENTRY.format(title="[broken"))
        wait_until(lambda: client.get("/api/v1/status").json()["rules"]["refused"], "the refusal")
        assert title() == "second"
        said = "mine.yaml:3:"
        assert said in running.log()
        assert said in client.get("/").text
        shown = run_cli("status", folder=tmp_path, ok=1)
        assert "were rejected; the previous rules stay live" in shown.stdout
        assert said in shown.stdout
        assert client.post("/api/v1/events", json={"code": "MINE"}).status_code == 202
        wait_until(lambda: _incidents(running.url), "an incident by the old rules")

        (rules / "mine.yaml").write_text(ENTRY.format(title="third"))
        wait_until(lambda: title() == "third", "the mended rules")
        assert client.get("/api/v1/status").json()["rules"]["refused"] is None
        assert said not in client.get("/").text
        assert client.get("/").status_code == 200
        assert ">second</a>" in client.get("/").text
        assert running.stop() == 0
    missing = run_cli("status", folder=tmp_path, ok=1)
    assert f"no daemon answers on http://127.0.0.1:{port}" in missing.stderr
