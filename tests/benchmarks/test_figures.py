"""The table of the other benchmarks, by a run of pytest of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.benchmark_figures import format_number

pytest_plugins = ["pytester"]

BENCHMARK = """
from support.benchmark_figures import Anchor, at_least, at_least_times, at_most, at_most_times

def test_rates(record):
    record("accepted", 101234.5, "events/s", anchor=Anchor("Other", 50000.0), bar=at_least(20_000))
    record("against none", 5.0, "ms", anchor=Anchor("Other", None), bar=at_most_times(1.5))
    record("against one", 2.0, "s", anchor=Anchor("Other", 1.0), bar=at_most_times(1.5))

def test_that_fails(record):
    record("gained", -0.25, "MB", bar=at_most(5))
    record("found", 11)
    assert False

def test_without_figures():
    pass
"""
TABLE = """\
what          figure            anchor                 ratio  bar
accepted      101,234 events/s  Other 50,000 events/s  2.02   >= 20,000 events/s  met
against none  5.00 ms           Other not installed    -      <= 1.5 x            no anchor
against one   2.00 s            Other 1.00 s           2.00   <= 1.5 x            missed
gained        -0.250 MB         -                      -      <= 5 MB             met
found         11                -                      -      -                   no bar
"""


@pytest.fixture
def benchmark_file(pytester: pytest.Pytester) -> Path:
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text(encoding="utf-8"))
    return pytester.makepyfile(BENCHMARK)


@pytest.mark.usefixtures("benchmark_file")
def test_one_table_of_all_figures_that_fails_for_none(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest()
    result.assert_outcomes(passed=2, failed=1)
    assert TABLE in result.stdout.str()


def test_no_table_where_nothing_was_measured(pytester: pytest.Pytester, benchmark_file: Path) -> None:
    result = pytester.runpytest(f"{benchmark_file}::test_without_figures")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*figures*")


@pytest.mark.usefixtures("benchmark_file")
def test_json_keeps_numbers_as_numbers(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTCAUSE_BENCHMARK_JSON", "rows.json")
    pytester.runpytest("-k", "rates or fails")
    first, *_, last = json.loads((pytester.path / "rows.json").read_text(encoding="utf-8"))
    assert first == {
        "test": "test_json_keeps_numbers_as_numbers.py::test_rates",
        "what": "accepted",
        "value": 101234.5,
        "unit": "events/s",
        "anchor": {"name": "Other", "value": 50000.0},
        "bar": {"side": ">=", "limit": 20000, "of": "figure"},
        "ratio": pytest.approx(2.02, abs=0.01),
        "verdict": "met",
    }
    assert (last["what"], last["value"], last["bar"], last["verdict"]) == ("found", 11, None, "no bar")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (1200, "1,200"), (1200.4, "1,200"), (12.34, "12.3"), (0.01234, "0.0123"), (-3.456, "-3.46")],
)
def test_counts_whole_and_measures_with_three_digits(value: float, shown: str) -> None:
    assert format_number(value) == shown
