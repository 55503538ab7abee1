"""The Numenta Anomaly Benchmark's public series, scored by its own scorer at the one setting that we ship."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from firstcause.core.health.outlier import OutlierDetector, OutlierSettings
from firstcause.health.baselines import OUTLIER_PREFIX
from firstcause.resources import shipped_path
from firstcause.rulefiles.load import load
from support.benchmark_figures import at_least

if TYPE_CHECKING:
    from support.benchmark_figures import Recorder

PROFILES = ("standard", "reward_low_FP_rate", "reward_low_FN_rate")


@pytest.fixture(scope="module")
def data() -> Path:
    folder = Path(os.environ.get("FIRSTCAUSE_TEST_DATA") or "none")
    if not (folder / "nab" / "public").is_dir() or not (folder / "tools" / "nab_score.py").is_file():
        pytest.skip("FIRSTCAUSE_TEST_DATA names no folder with nab/public and tools/nab_score.py")
    return folder


def judge(series: Path, result: Path, reach: OutlierSettings) -> None:
    """Every row with its score: 1 where the detector spoke."""
    extremes = OutlierDetector(reach)
    result.parent.mkdir(parents=True, exist_ok=True)
    with series.open(encoding="utf-8") as given, result.open("w", encoding="utf-8") as out:
        written = csv.writer(out)
        written.writerow(("timestamp", "value", "anomaly_score"))
        for row in csv.DictReader(given):
            spoke = extremes.detect(float(row["value"])) is not None
            written.writerow((row["timestamp"], row["value"], int(spoke)))


def scored(data: Path, results: Path, profile: str) -> float:
    """By the benchmark's scorer, a program of its own."""
    public = data / "nab" / "public"
    given = (results, public / "combined_windows.json", profile, "--only", public / "files.txt")
    program = (sys.executable, data / "tools" / "nab_score.py", *given, "--threshold", "0.5")
    said = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    found = re.search(r"'score': (-?[0-9.]+)", said)
    assert found, said
    return float(found[1])


@pytest.mark.slow
def test_one_setting_for_all_series_scores_as_published_detectors_do(
    record: Recorder, data: Path, tmp_path: Path
) -> None:
    public = data / "nab" / "public"
    reach = load([shipped_path("rules")]).from_thresholds(OutlierSettings, OUTLIER_PREFIX)
    names = (public / "files.txt").read_text().split()
    for name in names:
        judge(public / "data" / name, tmp_path / name, reach)
    scores = {profile: scored(data, tmp_path, profile) for profile in PROFILES}
    for profile, score in scores.items():
        bar = at_least(55) if profile == "standard" else None
        record(f"Numenta benchmark, {len(names)} public series, {profile}", score, bar=bar)
    assert scores["standard"] >= 55
