"""What `plugins check` finds in a plugin that is installed, and that it finds nothing in a good one."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.authoring import plugin_check
from firstcause.authoring.plugin_check import Finding, check_plugins
from firstcause.errors import NotFoundError
from support.plugin_site import install_plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEAD = """
import functools, socket, threading
from dataclasses import dataclass
from pydantic import BaseModel, SecretStr
from firstcause import *
from firstcause import Event, IntakeFormat, Listener, Notifier, Probe, Reading, Remedy, Status, hookimpl
def up(): return Reading(status=Status.UP)
"""
SECRET = "s3cret-word-1"


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Finding]]]:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setattr(plugin_check, "_LISTENER_RUNS_S", 0.1)
    monkeypatch.setattr(plugin_check, "_LISTENER_ENDS_S", 0.3)

    def run(source: str, table: dict[str, Any] | None = None) -> list[Finding]:
        install_plugin(site, "checked", HEAD + source)
        importlib.invalidate_caches()
        (checked,) = check_plugins({"checked": table or {}}, "checked", {"run"})
        return list(checked.findings)

    yield run
    sys.modules.pop("fctest_checked", None)


def test_a_good_plugin_has_nothing_to_mend(check: Callable[..., list[Finding]]) -> None:
    source = """
class Settings(BaseModel):
    token: SecretStr
@hookimpl
def firstcause_probes(config: Settings): return [Probe("checked", "redis", up, "REDIS_CONNECTION_FAILURE")]
@hookimpl
def firstcause_listeners(): return [Listener("checked", lambda submit, stop: stop.wait() and None)]
"""
    assert [f for f in check(source, {"token": SECRET}) if "catalog has no entry" not in f.text] == []


@pytest.mark.parametrize(
    ("source", "about", "said"),
    [
        (
            "with socket.socket(type=socket.SOCK_DGRAM) as s: s.connect(('127.0.0.1', 9))",
            "import",
            "the network",
        ),
        ("print('hello')", "import", "prints"),
        ("exit(3)", "does", "SystemExit: 3"),
        (
            "@hookimpl\\ndef firstcause_probes(): return [Probe('p', 'c', up, 'C_DOWN', interval=60000)]",
            "probe p",
            "17 hours",
        ),
        (
            "@hookimpl\\ndef firstcause_probes(): return [Probe('p', 'c', up, 'is down')]",
            "probe p",
            "is not a code",
        ),
        (
            "@hookimpl\\ndef firstcause_probes(): return [Probe('p', 'c', lambda: True, 'C_DOWN')]",
            "probe p",
            "its check returned a bool",
        ),
        (
            (
                "@hookimpl\\ndef firstcause_probes():\\n"
                "    return [Probe('p', 'c', threading.Event().wait, 'C_DOWN', timeout=0.1)]"
            ),
            "probe p",
            "does not return within its timeout",
        ),
        (
            (
                "class Config(BaseModel):\\n    token: SecretStr\\n"
                "@hookimpl\\ndef firstcause_notifiers(config: Config):\\n"
                "    return [Notifier('n', functools.partial(print, config.token.get_secret_value()))]"
            ),
            "notifier n",
            "its repr shows a secret",
        ),
        (
            (
                "class Config(BaseModel):\\n    token: SecretStr\\n    api_key: str = ''\\n"
                "@hookimpl\\ndef firstcause_notifiers(config: Config): return []"
            ),
            "settings",
            "api_key looks like a secret",
        ),
        (
            "@hookimpl\\ndef firstcause_remedies(): return [Remedy('r', 'c', lambda: 7, lambda: 'x')]",
            "remedy r",
            "its plan returned a int",
        ),
        (
            "@hookimpl\\ndef firstcause_intake(): return [IntakeFormat('f', lambda body, headers: body[0])]",
            "format f",
            "parse fails for the body",
        ),
        (
            "@hookimpl\\ndef firstcause_listeners(): return [Listener('l', lambda submit, stop: None)]",
            "listener l",
            "returned before it was asked to stop",
        ),
        (
            "def firstcause_probes(): return []",
            "firstcause_probes",
            "write @hookimpl above it",
        ),
    ],
)
def test_what_is_wrong_is_found(
    check: Callable[..., list[Finding]], source: str, about: str, said: str
) -> None:
    table = {"token": SECRET} if "token: SecretStr" in source else {}
    findings = check(source.replace("\\n", "\n"), table)
    matching = [finding for finding in findings if finding.about == about and said in finding.text]
    assert matching, findings
    assert all(finding.fix for finding in findings)
    assert SECRET not in str(findings)


def test_a_plugin_that_is_not_installed_is_told(check: Callable[..., list[Finding]]) -> None:
    _ = check
    with pytest.raises(NotFoundError, match="no plugin 'reddis' is installed; there are "):
        check_plugins({}, "reddis")
