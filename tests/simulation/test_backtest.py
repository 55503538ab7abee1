"""rules backtest: history played by the same rules differs in nothing, and by others in what they change."""

from __future__ import annotations

import random
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.core.model import Status
from firstcause.resources import shipped_path
from firstcause.rulebase.rulebase import load_rulebase
from firstcause.simulation.backtest import BacktestReport, run_backtest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.scenario_app import Stage

CODES = (
    "SMS_DELIVERY_FAILURE", "TWILIO_GREETING_FAILURE", "NOTIFICATION_SYSTEM_FAILURE", "AI_AGENT_INIT_FAILURE",
    "DB_CONNECTION_ERROR", "DB_QUERY_SLOW", "REDIS_SLOW", "TWILIO_API_FAILURE", "NOBODY_KNOWS_IT",
)  # fmt: skip


def play(stage: Stage, *folders: Path, since: float = 0, until: float = 100_000) -> BacktestReport:
    knowledge = load_rulebase(folders or stage.app.rules.folders, {})
    try:
        return run_backtest(stage.app.database, knowledge, 30, stage.time(since), stage.time(until))
    finally:
        knowledge.close()


@pytest.mark.parametrize("seed", range(3))
def test_the_same_rules_would_have_said_the_same(
    stages: Callable[..., Stage], tmp_path: Path, seed: int
) -> None:
    env = tmp_path / ".env"
    env.write_text("TWILIO_ACCOUNT_SID=AC1\n")
    stage, chance, at = stages(health={"env_file": str(env)}), random.Random(seed), 0.0
    for _ in range(60):
        at += chance.choice((1, 20, 400))
        stage.deliver(at)
        match chance.randrange(8):
            case 0:
                stage.probe(at, chance.choice((Status.UP, Status.DOWN)))
            case 1:
                env.write_text(chance.choice(("TWILIO_ACCOUNT_SID=AC1\n", "OTHER=1\n")))
            case 2 if open_now := stage.incidents("open"):
                stage.app.incidents.resolve(
                    chance.choice(open_now)["id"], stage.time(at), fix="x", actor="anna"
                )
            case _:
                stage.take(at, *(some_event(stage, at, chance) for _ in range(chance.choice((1, 3, 30)))))
        stage.deliver(at)
    stage.deliver(at + 1000)
    report = play(stage, until=at + 1000)
    assert report.differences == []
    assert report.incidents == len(stage.incidents()) > 5
    assert report.events == len(stage.rows("event")) > 200


def some_event(stage: Stage, at: float, chance: random.Random) -> Any:
    return stage.event(
        at - chance.choice((0, 0, 5)),
        chance.choice((*CODES, None)),
        message=chance.choice(("it broke 17", "something else")),
        tenant=chance.choice((None, "acme", "bolt", "cora")),
        resolved=chance.random() < 0.1,
    )


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """The shipped files, to be changed."""
    folder = tmp_path / "edited"
    shutil.copytree(shipped_path("rules"), folder)
    return folder


def change(folder: Path, file: str, before: str, after: str) -> None:
    text = (folder / file).read_text()
    assert before in text
    (folder / file).write_text(text.replace(before, after))


def test_what_edited_files_would_change_is_told_incident_by_incident(stage: Stage, edited: Path) -> None:
    stage.report(0, "SMS_DELIVERY_FAILURE", tenant="acme")
    stage.report(2, "TWILIO_API_FAILURE")
    stage.report(3, "REDIS_SLOW")
    stage.deliver(100)
    # Whoever edits says that the API has nothing to do with SMS, and that slow Redis matters.
    change(edited, "communications/twilio.yaml", "causes: [SMS_DELIVERY_FAILURE, ", "causes: [")
    redis = (edited / "data" / "redis.yaml").read_text()
    place = redis.index("code: REDIS_SLOW")
    (edited / "data" / "redis.yaml").write_text(
        redis[:place] + redis[place:].replace("priority: P2", "priority: P1", 1)
    )
    twilio, slow, new = play(stage, edited).differences
    assert (twilio["incident"], twilio["change"], twilio["root"]) == ("1", "differs", "TWILIO_API_FAILURE")
    assert twilio["changes"]["cascades"] == {"gained": [], "lost": ["SMS_DELIVERY_FAILURE"]}
    lost = {"rule": "catalogued-cascade", "verdict": "cascade", "code": "SMS_DELIVERY_FAILURE"}
    assert lost in twilio["changes"]["verdicts"]["lost"]
    assert (slow["incident"], slow["changes"]) == ("2", {"priority": {"was": "P2", "would_be": "P1"}})
    assert (new["incident"], new["change"], new["root"]) == (None, "gained", "SMS_DELIVERY_FAILURE")
    assert new["said"] == ["first"]


def test_a_text_that_is_known_now_would_be_another_error(stage: Stage, edited: Path) -> None:
    stage.take(0, stage.event(0, None, message="the frobnicator is jammed"))
    stage.deliver(100)
    (edited / "mine.yaml").write_text(
        "component: mine\ncatalog:\n"
        "  - {code: JAMMED, title: t, category: DATA, severity: INFO, match: [frobnicator is jammed]}\n"
    )
    (found,) = play(stage, edited).differences
    assert found["incident"] == "1", "it is the same events, so it is the same incident"
    assert found["changes"]["root"] == {"was": "UNCATALOGUED", "would_be": "JAMMED"}
    assert found["changes"]["notifications"] == {"gained": [], "lost": ["first"]}, "INFO is quiet"


def test_since_starts_before_what_was_open_then_and_tells_only_of_later(stage: Stage, edited: Path) -> None:
    stage.report(0, "REDIS_SLOW")
    stage.take(10, stage.event(10, "REDIS_SLOW", resolved=True))
    stage.report(100, "TWILIO_API_FAILURE")
    stage.report(5000, "SMS_DELIVERY_FAILURE", tenant="acme")
    assert play(stage, since=4000).differences == []
    change(edited, "communications/twilio.yaml", "causes: [SMS_DELIVERY_FAILURE, ", "causes: [")
    report = play(stage, edited, since=4000)
    assert (report.events, report.incidents) == (2, 1)
    assert {each["incident"] for each in report.differences} == {"2", None}


def test_what_nobody_delivered_is_not_compared(stage: Stage) -> None:
    stage.report(0, "TWILIO_API_FAILURE")
    report = play(stage, until=timedelta(days=1).total_seconds())
    assert (report.incidents, report.differences) == (1, [])
