"""Rules in bulk: 5,000 entries and 2,000 rules to load, and a long history to play again."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from firstcause.rulebase.rulebase import load_rulebase
from firstcause.simulation.backtest import run_backtest
from support.benchmark_figures import Anchor, at_most_times
from support.scenario_app import Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.benchmark_figures import Recorder

FILES, ENTRIES, RULES = 50, 100, 40
EVENTS = 10_000

ENTRY = """\
  - code: CODE_{file}_{number}
    title: Number {number} of {file}
    category: DATA
    severity: WARNING
    match: ["component{file} error{number} (refused|timed out)"]
    causes: [{causes}]
    fix: {{url: "https://example.org/{file}/{number}", env_vars: [VAR_{file}], steps: [one thing, another]}}
    reproduce: [do this]
    verify: {{steps: [look]}}
    docs: https://example.org
    common_causes: [this, that]
    impact: {{features: [Search], tenants: ALL, revenue: LOW, priority: P1}}
"""
RULE = """\
  - id: rule-{file}-{number}
    about: What it is about.
    when:
      alert: {{kind: alert, code: CODE_{file}_{number}, count: {{gte: {number}}}}}
      env: {{kind: env, name: VAR_{file}, present: false}}
    then:
      - root_cause: {{of: $alert, reason: "{{alert.code}} is hit", confidence: 0.9}}
"""


def seconds(what: Callable[[], object], rounds: int = 3) -> float:
    """The quickest of several: what else the machine does only ever adds."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        what()
        took.append(time.perf_counter() - start)
    return min(took)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in range(FILES):
        entries = "".join(
            ENTRY.format(
                file=file,
                number=number,
                causes=f"CODE_{file}_{number + 1}" if number + 1 < ENTRIES else "",
            )
            for number in range(ENTRIES)
        )
        rules = "".join(RULE.format(file=file, number=number) for number in range(RULES))
        text = f"component: c{file}\ncatalog:\n{entries}rules:\n{rules}"
        (tmp_path / f"c{file}.yaml").write_text(text)
    return tmp_path


@pytest.mark.alone
def test_loading_and_checking_costs_no_more_than_plain_yaml(record: Recorder, folder: Path) -> None:
    """Anchor: PyYAML's own C loader on the same bytes, which checks nothing and compiles nothing."""
    texts = [file.read_text() for file in sorted(folder.iterdir())]
    plain = seconds(lambda: [yaml.load(text, Loader=yaml.CSafeLoader) for text in texts])
    ours = seconds(lambda: load_rulebase([folder], {}).close())
    what = f"loading {FILES * ENTRIES:,} entries and {FILES * RULES:,} rules"
    record(what, ours, "s", anchor=Anchor("PyYAML", plain), bar=at_most_times(1.3))
    assert ours / plain < 1.3


@pytest.mark.alone
def test_history_is_played_again_as_fast_as_it_was_made(record: Recorder, tmp_path: Path) -> None:
    """Anchor: the same events through the pipeline the first time."""
    stage, chance = Stage(f"sqlite:///{tmp_path}/x.db", tmp_path), random.Random(1)
    codes = ("SMS_DELIVERY_FAILURE", "DB_QUERY_SLOW", "TWILIO_API_FAILURE", "REDIS_SLOW", "NOBODY_KNOWS")
    batches, at, left = [], 0.0, EVENTS
    while left > 0:
        at += chance.choice((1, 20, 300))
        size = min(chance.choice((1, 5, 50, 400)), left)
        batches.append(
            (
                at,
                [
                    stage.event(
                        at,
                        chance.choice(codes),
                        tenant=chance.choice((None, "acme", "bolt", "cora")),
                        resolved=chance.random() < 0.02,
                    )
                    for _ in range(size)
                ],
            )
        )
        left -= size

    def happen() -> None:
        for when, events in batches:
            stage.take(when, *events)
            stage.deliver(when)

    first = seconds(happen, rounds=1)
    app = stage.app
    played: list[int] = []

    def again() -> None:
        report = run_backtest(app.database, app.rules.current, 30, stage.time(0), stage.time(at + 1))
        assert report.differences == []
        played.append(report.events)

    ours = seconds(again)
    anchor = Anchor("the first time", first)
    record(f"playing {EVENTS:,} events again", ours, "s", anchor=anchor, bar=at_most_times(1.5))
    assert played == [EVENTS] * 3
    assert ours / first < 1.5
    app.close()
