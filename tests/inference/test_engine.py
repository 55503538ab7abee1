"""What the engine promises besides the right matches: size, threads, memory, clear refusals."""

from __future__ import annotations

import builtins
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.errors import InferenceUnavailableError, RuleFileError
from firstcause.inference.engine import Inference
from firstcause.inference.language import PlacedRule, Rule
from firstcause.inference.patterns import compile_matcher, compile_pattern

if TYPE_CHECKING:
    from firstcause.core.model import Fact


def placed(number: int, **changes: Any) -> PlacedRule:
    rule: dict[str, Any] = {
        "id": f"rule-{number}",
        "about": "x",
        "when": {"alert": {"kind": "alert", "code": f"CODE_{number}"}},
        "then": [{"root_cause": {"of": "$alert", "reason": "{alert.code} of {alert.tenant}"}}],
    }
    return PlacedRule(Rule.model_validate(rule | changes), "x.yaml", number)


def alert(number: int, **fields: Any) -> Fact:
    return {"kind": "alert", "id": f"alert-{number}", "code": f"CODE_{number}", **fields}


def test_a_thousand_rules_all_work() -> None:
    engine = Inference([placed(number) for number in range(1000)])
    try:
        found = engine.evaluate([alert(number) for number in range(0, 1000, 7)])
        assert [verdict.of for verdict in found] == [f"alert-{number}" for number in range(0, 1000, 7)]
        assert found[3].line == 21
        assert found[3].because == "CODE_21 of ?"
    finally:
        engine.close()


def test_threads_may_share_it() -> None:
    engine = Inference([placed(number) for number in range(20)])

    def ask(number: int) -> bool:
        found = engine.evaluate([alert(number % 20, tenant=f"t{number}")])
        return [verdict.because for verdict in found] == [f"CODE_{number % 20} of t{number}"]

    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(ask, range(2000)))
    finally:
        engine.close()


def test_neither_evaluations_nor_reloads_leak() -> None:
    rules = [placed(number) for number in range(30)]
    world = [alert(number, message="x" * 500) for number in range(10)]

    def work() -> None:
        engine = Inference(rules)
        for _ in range(40):
            engine.evaluate(world)
        engine.close()

    for _ in range(10):
        work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(60):
        work()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    # 2,400 evaluations of 10 facts: a state that stayed would be some 10 KiB each.
    assert grown < 8 * 1024, f"{grown} KiB more"


def test_what_is_closed_says_so() -> None:
    engine = Inference([placed(1)])
    engine.close()
    engine.close()
    with pytest.raises(InferenceUnavailableError, match="closed"):
        engine.evaluate([alert(1)])


def test_where_the_extension_is_missing_one_line_says_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kinds: Any) -> Any:
        if name == "durable_rules_engine":
            raise ImportError("undefined symbol:\n PyEval_CallObject")
        return real(name, *args, **kinds)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InferenceUnavailableError) as caught:
        Inference([placed(1)])
    assert f"{sys.executable} -m pip install --no-cache-dir --force-reinstall" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_wrong_rules_are_named_at_once() -> None:
    hostile = {"alert": {"kind": "alert", "message": {"matches": "(a)\\1"}}}
    late = {"alert": {"kind": "alert", "code": "$later.code"}}
    with pytest.raises(RuleFileError) as caught:
        Inference([placed(1, when=hostile), placed(2), placed(3, when=late)])
    assert [mistake.line for mistake in caught.value.mistakes] == [1, 3]
    assert "RE2" in caught.value.mistakes[0].text


def test_a_verdict_that_makes_no_sense_is_left_out_and_the_rest_stay() -> None:
    nonsense = [
        {"impact": {"of": "$alert", "priority": "$alert.code"}},
        {"suppress": {"of": "$alert", "reason": "r"}},
    ]
    engine = Inference([placed(1, then=nonsense)])
    try:
        assert [verdict.verdict for verdict in engine.evaluate([alert(1)])] == ["suppress"]
    finally:
        engine.close()


def test_no_pattern_and_no_input_is_slow() -> None:
    """Python's own `re` would take longer than the universe lasts for this."""
    hostile = compile_pattern("(a+)+$")
    first = compile_matcher([("A", ["(x+x+)+y", "(a|aa)+$"]), ("B", ["b"])])
    started = time.process_time()
    assert not hostile.occurs_in("a" * 5000 + "!")
    assert first("a" * 5000 + "!b") == "B"
    assert time.process_time() - started < 1


def test_the_first_code_in_order_has_it() -> None:
    first = compile_matcher([("A", ["two words"]), ("B", ["words", "else"]), ("C", ["ELSE"])])
    assert [first(text) for text in ("Two Words", "words", "someone else", "\ud800 else", "none")] == [
        "A", "B", "B", "B", None,
    ]  # fmt: skip


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "(?<=x)y", "(a)\\1", "\ud800"])
def test_a_wrong_pattern_says_why(pattern: str) -> None:
    with pytest.raises(ValueError, match="cannot be used: "):
        compile_pattern(pattern)


def test_thousands_of_patterns_are_one_pass() -> None:
    first = compile_matcher(
        [(f"CODE_{number}", [f"service-{number} .*(refused|timed out)"]) for number in range(3000)]
    )
    assert first("service-2999 has timed out") == "CODE_2999"
    assert first("nothing of the kind") is None
