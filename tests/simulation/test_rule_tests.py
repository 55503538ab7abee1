"""The tests that stand in the shipped rule files."""

from __future__ import annotations

from firstcause.resources import shipped_path
from firstcause.rulebase.rulebase import load_rulebase
from firstcause.simulation import rule_tests


def test_every_test_in_the_shipped_files_passes() -> None:
    knowledge = load_rulebase([shipped_path("rules")], {})
    try:
        tests = knowledge.book.tests
        failed = [result for result in rule_tests.run_rule_tests(knowledge, tests) if result.differences]
    finally:
        knowledge.close()
    assert len(tests) > 250
    assert failed == []
