"""`signals:` of rule files: what alerts are about; mistakes in them, and the shipped ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from firstcause.errors import RuleFileError
from firstcause.resources import shipped_path
from firstcause.rulefiles.load import load

if TYPE_CHECKING:
    from pathlib import Path

WRONG = """\
component: mine
thresholds: {often: 0.9}
signals:
  - {name: good, about: x, own: $thresholds.often, match: ['fine']}
  - {name: good, about: x, own: 0.5, match: ['also (fine']}
  - {name: odd, about: x, own: 1.5, chance: 0, match: ['a*']}
"""


def test_every_mistake_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(WRONG)
    with pytest.raises(RuleFileError) as caught:
        load([tmp_path])
    told = [str(each).removeprefix(f"{tmp_path}/") for each in caught.value.mistakes]
    assert [line.split(": ")[0] for line in told] == [
        "a.yaml:5:12",
        "a.yaml:5:46",
        "a.yaml:6:32",
        "a.yaml:6:45",
    ]
    assert "the signal 'good' is already used" in told[0]
    assert "does not compile" in told[1]


def test_shares_may_be_thresholds_and_weights_are(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "component: mine\nthresholds: {often: 0.9, diagnosis_hop: 0.25}\n"
        "signals: [{name: good, about: x, own: $thresholds.often, match: ['fine']}]\n"
    )
    book = load([tmp_path], {"often": 0.8})
    signal = book.signals.classify("ALL_FINE here")
    assert signal is not None
    assert (signal.own, signal.spreads, book.weights.hop) == (0.8, False, 0.25)
    assert book.signals.classify("nothing of it") is None


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("CPU_HIGH CpuUsageRate 99 > 50", "resource"),
        ("write /var/lib/x: no space left on device", "resource"),
        ("Error: Too many open files", "resource"),
        ("x509: certificate has expired", "configuration"),
        ("STRIPE_KEY is not set", "configuration"),
        ("Back-off restarting failed container", "crash"),
        ("NET_LATENCY p90 caller-callee gap 89 ms", "network"),
        ("WORKLOAD_LOW PodWorkload 0", "traffic"),
        ("REQUESTS_HIGH", "load"),
        ("request timed out after 30 s", "latency"),
        ("GET /cart took 4100 ms", "latency"),
        ("TypeError: undefined is not a function", "errors"),
        ("AVAILABILITY_LOW", "errors"),
    ],
)
def test_shipped_signals_know_what_a_text_is_about(words: str, name: str) -> None:
    signal = load([shipped_path("rules")]).signals.classify(words)
    assert signal is not None
    assert signal.name == name
