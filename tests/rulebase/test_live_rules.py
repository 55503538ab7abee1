"""Who uses a rule set keeps it open; a reload replaces it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from firstcause.config import Settings
from firstcause.errors import InferenceUnavailableError, RuleFileError
from firstcause.rulebase.live_rules import LiveRules
from support.scenario_app import START

if TYPE_CHECKING:
    from pathlib import Path

    from firstcause.core.model import Fact

FACT: Fact = {"kind": "alert", "id": "a", "code": "MINE"}


@pytest.fixture
def rules(tmp_path: Path) -> LiveRules:
    (tmp_path / "rules").mkdir()
    settings = Settings.model_validate({"rules": {"paths": ["shipped", "rules"]}, "folder": tmp_path})
    return LiveRules(settings, list)


def test_a_reload_closes_the_old_set_when_its_last_user_leaves(rules: LiveRules) -> None:
    with rules.use() as first:
        with rules.use() as second:
            assert second is first
            rules.reload(START)
            assert rules.current is not first
        first.inference.evaluate([FACT])
    with pytest.raises(InferenceUnavailableError):
        first.inference.evaluate([FACT])
    assert rules.loaded_at == START
    rules.close()


def test_a_set_that_nobody_uses_is_closed_by_the_reload(rules: LiveRules) -> None:
    before = rules.current
    rules.reload(START)
    with pytest.raises(InferenceUnavailableError):
        before.inference.evaluate([FACT])
    rules.close()


def test_questions_have_an_engine_of_their_own_for_each_set(rules: LiveRules) -> None:
    with rules.use() as live, rules.use_for_query() as first, rules.use_for_query() as second:
        assert first is second
        assert first.inference is not live.inference
        assert first.book is live.book
        with live.inference._lock:
            first.inference.evaluate([FACT])
    rules.reload(START)
    with pytest.raises(InferenceUnavailableError):
        first.inference.evaluate([FACT])
    rules.close()


def test_a_broken_set_changes_nothing(rules: LiveRules, tmp_path: Path) -> None:
    before = rules.current
    (tmp_path / "rules" / "broken.yaml").write_text("catalog: 7\n")
    with pytest.raises(RuleFileError):
        rules.reload(START)
    assert rules.current is before
    assert rules.rejected is not None
    assert rules.rejected.rejected_at == START
    rules.close()
