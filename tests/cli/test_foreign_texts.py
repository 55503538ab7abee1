"""Texts from outside on the command line: none acts on the terminal, none forges a line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from firstcause.cli import firstcause

ACTING = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\x7f"
FORGED = f"lost{ACTING}\nincident 99  resolved  P0"
BLACKLIST = frozenset("\x1b\x07\x9b\u202e\x7f\r")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each command prints on a terminal."""
    folder = tmp_path_factory.mktemp("foreign")
    runner = CliRunner(env={"FIRSTCAUSE_STORE__URL": f"sqlite:///{folder}/x.db"})

    def call(*args: str) -> str:
        # In colour, as on a terminal: anywhere else click takes escape codes out by itself.
        result = runner.invoke(firstcause, args, color=True)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result.output

    event = {
        "time": "2026-03-01T12:00:00Z",
        "message": FORGED,
        "service": FORGED,
        "tenant": FORGED,
        "details": {"key": FORGED},
        "stack": FORGED,
    }
    report = ("report", "--tenant", FORGED, "--service", FORGED, "-m", FORGED, "--detail", f"key={FORGED}")
    texts = {"report": call(*report)}
    events = folder / "events.jsonl"
    events.write_text(json.dumps(event) + "\n")
    commands = {
        "wait": (*report, "--wait"),
        "incidents": ("incidents",),
        "incident": ("incident", "1"),
        "incident as JSON": ("incident", "1", "--json"),
        "debug": ("debug", "1"),
        "markdown": ("debug", "1", "--format", "markdown"),
        "explain": ("explain", "1"),
        "export": ("export",),
        "export incidents": ("export", "incidents"),
        "replay": ("replay", str(events), "--store", f"sqlite:///{folder}/replayed.db"),
        "acknowledge": ("ack", "1"),
        "silence": ("silence", "add", f"tenant={FORGED}", "--for", "2h"),
        "silences": ("silence", "list"),
        "resolve": ("resolve", "1", "--fix", FORGED),
        "timeline": ("incident", "1"),
        "coverage": ("catalog", "coverage"),
    }
    return texts | {name: call(*args) for name, args in commands.items()}


def test_nothing_acts_on_the_terminal_and_no_line_is_forged(shown: dict[str, str]) -> None:
    for name, text in shown.items():
        # Colours of our own are whole and known; what is left must be nothing that acts.
        plain = text.replace("\x1b[1m", "").replace("\x1b[0m", "")
        assert not BLACKLIST & set(plain), (name, text)
        assert not any(line.startswith("incident 99") for line in text.splitlines()), (name, text)
    assert "lost" in shown["incidents"]


def test_what_is_exported_is_what_was_reported(shown: dict[str, str]) -> None:
    (event,) = {json.loads(line)["message"] for line in shown["export"].splitlines()}
    assert event == FORGED
    assert json.loads(shown["incident as JSON"])["id"] == "1"
