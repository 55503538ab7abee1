"""What past storms teach of how often an alert means nothing."""

from __future__ import annotations

import pytest

from firstcause.core.root_cause.learned_chances import LearnedChances, learn_chances, to_kind


def test_what_is_always_there_means_less_and_what_never_was_means_more() -> None:
    storms = [("db", [("web", "CPU_HIGH"), ("db", "DISK_FULL")])] * 20
    learned = learn_chances(storms)
    assert learned.estimate("web", "cpu high", 0.02) > 0.7
    assert learned.estimate("web", "memory high", 0.1) < 0.05


def test_a_component_does_not_unlearn_itself_by_being_the_root() -> None:
    learned = learn_chances([("db", [("db", "DISK_FULL")])] * 50)
    assert learned.estimate("db", "disk full", 0.02) == 0.02


def test_without_history_the_rule_files_hold() -> None:
    assert LearnedChances().estimate("web", "cpu high", 0.3) == 0.3


def test_a_single_storm_moves_the_share_only_a_little() -> None:
    learned = learn_chances([("db", [("web", "CPU_HIGH")])])
    assert learned.estimate("web", "cpu high", 0.02) == pytest.approx((0.625 + 0.02 * 5) / 6)


def test_both_histories_count_together() -> None:
    one = learn_chances([("db", [("web", "CPU_HIGH")])])
    both = one.combine(one)
    assert (both.storms, both.roots, both.shown) == (2, {"db": 2}, {"web": {"cpu high": 2}})
    assert one.combine(LearnedChances()) == one


@pytest.mark.parametrize("code", ["CPU_HIGH", "CpuHigh", "CPU_HIGH_2"])
def test_a_kind_is_told_by_words(code: str) -> None:
    assert to_kind(code) == "cpu high"
