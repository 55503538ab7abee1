"""The Prometheus rules and the Grafana dashboard name metrics that firstcause has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from support.http_server import serve_stage

MONITORING = Path(__file__).parents[2] / "packaging/monitoring"
RULES = MONITORING / "prometheus-rules.yaml"
_METRIC = re.compile(r"firstcause_[a-z_]+")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    with serve_stage(tmp_path_factory.mktemp("metrics")) as (client, _stage):
        client.post("/api/v1/events", content=b"no event")
        text = client.get("/metrics").text
    families = re.findall(r"^# TYPE (\S+) (\S+)", text, re.MULTILINE)
    return {name for name, _ in families}


def find_metrics(expressions: list[str]) -> set[str]:
    return {name for expression in expressions for name in _METRIC.findall(expression)}


def test_the_rules_name_real_metrics(known: set[str]) -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    assert find_metrics([rule["expr"] for rule in group["rules"]]) <= known
    assert all({"summary", "description"} <= rule["annotations"].keys() for rule in group["rules"])


def test_the_dashboard_names_real_metrics(known: set[str]) -> None:
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(expressions) == len(panels)
    assert find_metrics(expressions) <= known


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_the_rules_and_they_fire(tmp_path: Path) -> None:
    # Not in a file of its own: it would be a second place with the alerts' texts.
    unready = "FIRSTCAUSE_STORE_UNWRITABLE"
    log_only = 'firstcause_condition{code="FIRSTCAUSE_NOTIFIED_BY_LOG_ONLY",about="r",level="notice"}'
    alert = {
        "exp_labels": {"severity": "critical", "code": unready, "level": "unready"},
        "exp_annotations": {
            "summary": f"firstcause does not handle errors ({unready}).",
            "description": "`firstcause status` says why and how to fix it; "
            "docs/operations.md lists the codes.",
        },
    }
    test = {
        "rule_files": [str(RULES)],
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {
                        "series": f'firstcause_condition{{code="{unready}",about="",level="unready"}}',
                        "values": "1x9",
                    },
                    {"series": log_only, "values": "1x9"},
                ],
                "alert_rule_test": [
                    {"eval_time": "6m", "alertname": "FirstcauseUnready", "exp_alerts": [alert]},
                    {"eval_time": "6m", "alertname": "FirstcauseReachesNobody", "exp_alerts": []},
                ],
            }
        ],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(test))
    for command in (["check", "rules", str(RULES)], ["test", "rules", str(path)]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
