"""docs/notifying.md, held to what it says: its files are loaded, and its routes taken."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firstcause.config import Settings, load
from firstcause.core.model import Impact, Incident, Priority, Root, Severity
from firstcause.notify.routes import find_obstacle, match_routes
from firstcause.plugins.manager import PluginManager

GUIDE = (Path(__file__).parents[2] / "docs" / "notifying.md").read_text()
FILES = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
NAMED = set(re.findall(r"^\| `([\w-]+)` \|", GUIDE, re.MULTILINE))
TOLD = re.findall(r"^\| (P\d)(?: that hits (\w+))? \| (.*) \|$", GUIDE, re.MULTILINE)
HELD = {"apprise-urls": "# on call\noncall=json://127.0.0.1:9/\n"}


def loaded(text: str, folder: Path) -> tuple[Settings, PluginManager]:
    """A file of the guide as the daemon takes it, beside the files of secrets that it names."""
    for name in re.findall(r'_file = "([\w-]+)"', text):
        (folder / name).write_text(HELD.get(name, "s3cret-word"))
    (folder / "config.toml").write_text(text)
    settings = load(folder / "config.toml")
    return settings, PluginManager.load(settings.plugins)


@pytest.mark.parametrize("text", FILES, ids=range(len(FILES)))
def test_every_file_of_the_guide_is_taken_without_a_complaint(text: str, tmp_path: Path) -> None:
    settings, host = loaded(text, tmp_path)
    offered = {notifier.name for notifier in host.notifiers()}
    problems = {state.name: state.problems for state in host.states() if state.problems}
    assert problems == {}
    assert {name for route in settings.notify.routes for name in route.notifiers} <= offered


def test_the_guide_names_every_notifier_and_shows_how_to_have_it(tmp_path: Path) -> None:
    shown = set()
    for text in FILES:
        _settings, host = loaded(text, tmp_path)
        shown |= {notifier.name for notifier in host.notifiers()}
    assert shown == NAMED


def test_without_routes_all_but_the_call_are_tried(tmp_path: Path) -> None:
    settings, host = loaded(next(text for text in FILES if "wake somebody" in text), tmp_path)
    offered = {notifier.name: notifier for notifier in host.notifiers()}
    assert settings.notify.routes
    (taken,) = match_routes(incident("P0"), (), {}, offered).values()
    assert taken == ("mail", "twilio-sms", "webhook", "console")


def incident(priority: str, *companies: str) -> Incident:
    return Incident(
        fault="f",
        root=Root(code="A"),
        title="t",
        priority=Priority(priority),
        severity=Severity.CRITICAL,
        impact=Impact(companies=companies),
        opened_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_the_routes_of_the_guide_tell_whom_it_says(tmp_path: Path) -> None:
    settings, host = loaded(next(text for text in FILES if "wake somebody" in text), tmp_path)
    offered = {notifier.name: notifier for notifier in host.notifiers()}
    assert len(TOLD) == 5
    for priority, company, by in TOLD:
        hit = incident(priority, *[company] if company else [])
        taken = match_routes(hit, (), settings.notify.by_name, offered).values()
        speaking = [
            next(name for name in names if find_obstacle(name, (), offered, ()) is None) for names in taken
        ]
        assert speaking == re.findall(r"`([\w-]+)`", by), (priority, company)
