"""Seventeen plugins that are broken in seventeen ways, and one that is not, in one daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from support.firstcause_process import run_cli, run_daemon, wait_until
from support.plugin_site import install_plugin

if TYPE_CHECKING:
    from pathlib import Path

IMPORTS = """
import threading, time
from pathlib import Path
from pydantic import BaseModel, SecretStr
from firstcause import Enrichment, IntakeFormat, Listener, Notifier, Probe, Reading, Status, hookimpl
from firstcause import SuppliedFact
"""
UP = "lambda: Reading(status=Status.UP)"

BROKEN = {
    "exits": ("exit(3)", "SystemExit: 3"),
    "library": ("import no_such_library", "install what has no_such_library"),
    "slowimport": ("time.sleep(40)", "is not imported within 10 s"),
    "syntax": ("def broken(:", "SyntaxError"),
    "norules": (
        "@hookimpl\ndef firstcause_rules(): return [Path('/no/such/rules')]",
        "no folder",
    ),
    "badrules": (
        "@hookimpl\ndef firstcause_rules(): return [Path(__file__).parent / 'badrules']",
        "its rule files are not used: ",
    ),
    "nosecret": (
        (
            "class Config(BaseModel):\n    token: SecretStr\n"
            "@hookimpl\ndef firstcause_probes(config: Config): return []"
        ),
        "token_file: ",
    ),
    "interval": (
        f"@hookimpl\ndef firstcause_probes(): return [Probe('interval', 'x', {UP}, 'X_DOWN', interval=0)]",
        "with wrong fields: interval",
    ),
    "hookexit": ("@hookimpl\ndef firstcause_notifiers(): exit(1)", "firstcause_notifiers raised"),
    "forgotten": ("def firstcause_probes(): return []", "write @hookimpl above it"),
    "unknown": ("@hookimpl\ndef firstcause_porbes(): return []", "did you mean firstcause_probes?"),
    "argument": ("@hookimpl\ndef firstcause_facts(contxt): return []", "as it takes contxt"),
    "nonsense": ("@hookimpl\ndef firstcause_intake(): return 7", "returned int, not a list of IntakeFormat"),
    "raises": ("@hookimpl\ndef firstcause_enrich(event): raise ValueError(event.id)", "raised ValueError"),
    "listens": (
        "@hookimpl\ndef firstcause_listeners(): return [Listener('listens', lambda submit, stop: None)]",
        "",
    ),
    "key": (
        (
            "class Config(BaseModel):\n    path: str = ''\n"
            "@hookimpl\ndef firstcause_probes(config: Config): return []"
        ),
        "pth is unknown; did you mean path?",
    ),
    "name": (
        "@hookimpl\ndef firstcause_notifiers(): return [Notifier('console', lambda notification: None)]",
        "the name 'console' is already used by the plugin console",
    ),
}
GOOD = f"@hookimpl\ndef firstcause_probes(): return [Probe('good', 'good', {UP}, 'GOOD_DOWN')]"
CONFIG = '[plugins.nosecret]\ntoken_file = "missing"\n[plugins.key]\npth = "x"\n[plugins.reddis]\nurl = "x"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site"
    for name, (source, _said) in BROKEN.items():
        install_plugin(site, name, IMPORTS + source)
    install_plugin(site, "good", IMPORTS + GOOD)
    (site / "badrules").mkdir()
    (site / "badrules" / "x.yaml").write_text("component: x\ncatalog:\n  - code: X_ONE\n    titel: x\n")
    (tmp_path / "config.toml").write_text(CONFIG)
    monkeypatch.setenv("PYTHONPATH", str(site))
    return tmp_path


def count_events(client: httpx.Client) -> int:
    return sum(incident["events"] for incident in client.get("/api/v1/incidents").json()["incidents"])


def test_each_is_named_and_the_daemon_runs(folder: Path) -> None:
    with run_daemon(folder) as daemon:
        with httpx.Client(base_url=daemon.url, timeout=60) as client:
            for number in range(20):
                sent = client.post("/api/v1/events", json={"id": str(number), "code": "SHOP_BROKEN"})
                assert sent.status_code == 202
            wait_until(lambda: client.get("/api/v1/incidents").json()["incidents"], "an incident")
            # The incident is there after its first batch; the count is whole only after the last.
            wait_until(lambda: count_events(client) == 20, "all events counted")
            wait_until(lambda: "good" in client.get("/api/v1/health").json()["infrastructure"], "its probe")
            conditions = client.get("/api/v1/status").json()["conditions"]
            port = client.base_url.port
        listed = run_cli(
            "plugins", "list", "--json", folder=folder, ok=1, environment={"FIRSTCAUSE_WEB__PORT": str(port)}
        )
        log = daemon.log()
    plugins = {plugin["name"]: plugin for plugin in json.loads(listed.stdout)["plugins"]}
    for name, (_source, said) in BROKEN.items():
        if said:
            assert any(said in problem for problem in plugins[name]["problems"]), (name, plugins[name])
    assert "did you mean [plugins.redis]?" in plugins["reddis"]["problems"][0]
    assert plugins["raises"]["usage"]["firstcause_enrich"]["failures"] >= 20
    assert plugins["listens"]["usage"]["listener listens"]["calls"] >= 1
    assert plugins["good"]["problems"] == []
    assert {"FIRSTCAUSE_LISTENER_DOWN", "FIRSTCAUSE_PLUGIN_FAILING"} <= {c["code"] for c in conditions}
    failing = {c["about"] for c in conditions if c["code"] == "FIRSTCAUSE_PLUGIN_FAILING"}
    assert failing >= {*BROKEN, "reddis"} - {"listens"}
    assert log.count("plugin raises: firstcause_enrich raised") <= 2
