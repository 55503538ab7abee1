"""catalog import and coverage, as users call them; and coverage over both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from firstcause.authoring.coverage import UncoveredFault, measure_coverage
from firstcause.core.catalog import Catalog, Entry
from support.firstcause_process import run_cli, run_cli_json
from support.scenario_app import START, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALERTS = """\
groups:
  - name: queues
    rules:
      - alert: QueueTooLong
        expr: queue_length > 100
        for: 10m
        labels: {severity: critical}
        annotations: {summary: "Queue too long (queue {{ $labels.queue }})"}
      - alert: QueueIdle
        expr: queue_length == 0
"""
PAGE = "# QueueTooLong\n\n## Meaning\nThe workers do not keep up.\n\n## Mitigation\nStart a worker.\n"
SITE = """\
# Ours.
component: site
catalog:
  - {code: SITE_DOWN, title: down, category: SYSTEM, severity: CRITICAL, match: [the site.*down]}  # all
# The end.
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site whose own rules stand beside the shipped ones, with two sources to import."""
    (tmp_path / "config.toml").write_text('[rules]\npaths = ["rules", "shipped"]\n')
    for name, text in (
        ("rules/site.yaml", SITE), ("src/queues/a.yml", ALERTS), ("src/books/QueueTooLong.md", PAGE),
        ("src/books/broken.yml", "groups: null\n"),
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_alerts_and_runbooks_become_part_of_the_catalog(site: Path) -> None:
    done = run_cli("catalog", "import", "src", folder=site)
    assert done.stdout.splitlines() == [
        "imported 2 entries from 2 files into rules/imported/queues.yaml; 1 skipped:",
        "  src/books/broken.yml: no `groups` of alert rules in it",
    ]
    assert run_cli_json("rules", "check", folder=site)["mistakes"] == []
    entry = run_cli_json("catalog", "show", "QUEUE_TOO_LONG", folder=site)
    assert (entry["title"], entry["severity"], entry["component"]) == ("Queue too long", "CRITICAL", "queues")
    assert entry["fix"]["steps"] == ["Start a worker."]
    found = run_cli_json("report", "-m", "Queue too long (queue mail)", "--wait", folder=site)
    assert (found["root"]["code"], found["priority"]) == ("QUEUE_TOO_LONG", "P1")
    played = run_cli_json("rules", "test", "--only", "queues.yaml", folder=site)
    names = [each["name"] for each in played["tests"]]
    assert names == ["QUEUE_TOO_LONG by its message", "QUEUE_IDLE by its message"]
    assert played["failed"] == 0


def test_json_names_each_entry_and_what_was_skipped(site: Path) -> None:
    found = run_cli_json("catalog", "import", "src", folder=site)
    file = str(site / "rules" / "imported" / "queues.yaml")
    page, rules = "src/books/QueueTooLong.md", "src/queues/a.yml"
    assert found["imported"] == [
        {"code": "QUEUE_TOO_LONG", "file": file, "source": rules, "page": page},
        {"code": "QUEUE_IDLE", "file": file, "source": rules, "page": None},
    ]
    assert found["skipped"] == [
        {"source": "src/books/broken.yml", "reason": "no `groups` of alert rules in it"}
    ]


def test_importing_again_changes_nothing_and_says_so(site: Path) -> None:
    run_cli("catalog", "import", "src", folder=site)
    file = site / "rules" / "imported" / "queues.yaml"
    before = file.read_bytes()
    again = run_cli_json("catalog", "import", "src/queues", folder=site)
    assert again["imported"] == []
    assert [each["reason"] for each in again["skipped"]] == [
        "QUEUE_TOO_LONG is in the catalog already, in component queues",
        "QUEUE_IDLE is in the catalog already, in component queues",
    ]
    assert file.read_bytes() == before
    (site / "src" / "queues" / "b.yml").write_text(ALERTS.replace("Queue", "Topic"))
    assert len(run_cli_json("catalog", "import", "src/queues", folder=site)["imported"]) == 2
    assert file.read_bytes().startswith(before.partition(b"tests:")[0])
    assert run_cli_json("rules", "check", folder=site)["mistakes"] == []


def test_a_dry_run_writes_nothing(site: Path) -> None:
    done = run_cli("catalog", "import", "src", "--dry-run", folder=site)
    assert done.stdout.startswith("would import 2 entries from 2 files into rules/imported/queues.yaml")
    assert not (site / "rules" / "imported").exists()


def test_into_a_rule_file_that_is_there(site: Path) -> None:
    run_cli("catalog", "import", "src/queues/a.yml", "--into", "rules/site.yaml", folder=site)
    text = (site / "rules" / "site.yaml").read_text()
    head, _comment, tail = SITE.partition("# The end.")
    assert text.startswith(head)
    assert tail in text
    held = yaml.safe_load(text)
    assert held["component"] == "site"
    assert [each["code"] for each in held["catalog"]] == ["SITE_DOWN", "QUEUE_TOO_LONG", "QUEUE_IDLE"]
    assert run_cli_json("rules", "check", folder=site)["mistakes"] == []


def test_into_a_new_file_elsewhere_under_a_component_of_choice(site: Path) -> None:
    done = run_cli(
        "catalog", "import", "src/queues", "--into", "new/mine.yaml", "--component", "mail", folder=site
    )
    assert "new/mine.yaml is not in a folder of [rules] paths" in done.stderr
    assert yaml.safe_load((site / "new" / "mine.yaml").read_text())["component"] == "mail"


def test_a_broken_rule_file_is_left_as_it_is(site: Path) -> None:
    file = site / "rules" / "site.yaml"
    file.write_text("component: site\ncatalog:\n\t- x\n")
    done = run_cli("catalog", "import", "src", "--into", "rules/site.yaml", folder=site, ok=1)
    assert "site.yaml:3:1: a tab in the indentation; use spaces" in done.stderr
    assert file.read_text() == "component: site\ncatalog:\n\t- x\n"
    assert not (site / "rules" / "imported").exists()


WRONG_CALLS = [
    (["import", "nowhere"], "'nowhere' does not exist"),
    (["import"], "Missing argument"),
    (["import", "src", "--component", "Not One"], "'Not One' is not a component"),
    (["import", "src", "--into", "rules/x.txt"], "rule files end in .yaml or .yml"),
    (["import", "src", "--into", "rules/site.yaml", "--component", "b"], "is of the component site"),
    (["coverage", "nothing like it"], "no error without an entry contains 'nothing like it'"),
]


@pytest.mark.parametrize(("call", "says"), WRONG_CALLS, ids=[" ".join(call) for call, _says in WRONG_CALLS])
def test_a_wrong_call_is_one_clear_line(site: Path, call: list[str], says: str) -> None:
    done = run_cli("catalog", *call, folder=site, ok=2)
    assert says in done.stderr
    assert done.stdout == ""


def test_nothing_to_import_is_bad(site: Path) -> None:
    done = run_cli("catalog", "import", "src/books/broken.yml", folder=site, ok=1)
    assert done.stdout.startswith("imported 0 entries from 0 files; 1 skipped:")


def test_the_shipped_rules_alone_are_no_place_to_write_to(site: Path) -> None:
    (site / "config.toml").write_text('[rules]\npaths = ["shipped"]\n')
    done = run_cli("catalog", "import", "src", folder=site, ok=2)
    assert "no folder of your own to write to" in done.stderr


def test_coverage_lists_what_has_no_entry_and_drafts_one_that_covers_it(site: Path) -> None:
    for number in (1, 22):
        message = f"Lease {number} of host-{number}.local lost after {number}.5 s"
        run_cli("report", "-m", message, "--service", f"s{number}", folder=site)
    run_cli("report", "billing.late", folder=site)
    run_cli("report", "-m", "the site is down", folder=site)
    table = run_cli("catalog", "coverage", folder=site).stdout.splitlines()
    assert table[0] == "25.0% of 4 events have an entry"
    assert table[1].split()[:4] == ["COUNT", "CODE", "or", "MESSAGE"]
    assert table[2].startswith("2      Lease 22 of host-22.local lost after 22.5 s")
    assert table[3].split()[:2] == ["1", "billing.late"]
    drafted = run_cli("catalog", "coverage", "--draft", folder=site).stdout
    (site / "rules" / "drafted.yaml").write_text(f"component: drafted\ncatalog:\n{drafted}")
    after = run_cli_json("catalog", "coverage", folder=site)
    assert after["coverage"] == {"events": 4, "covered": 3, "share": 0.75}
    (left,) = after["uncovered"]
    assert (left["code"], left["message"], left["count"]) == ("billing.late", None, 1)
    assert left["last_seen"].endswith("Z")
    named = run_cli("catalog", "coverage", "BILLING", "--draft", folder=site)
    assert "have the sender report BILLING_LATE" in named.stderr
    assert "- code: BILLING_LATE" in named.stdout


def test_coverage_of_nothing_is_whole(site: Path) -> None:
    assert run_cli_json("catalog", "coverage", "--draft", folder=site) == {
        "coverage": {"events": 0, "covered": 0, "share": 1.0}, "uncovered": [], "draft": None,
    }  # fmt: skip


@pytest.fixture
def stage(store_url: str, site: Path) -> Iterator[Stage]:
    stage = Stage(store_url, site, rules={"paths": ["rules"]})
    yield stage
    stage.app.close()


def test_events_are_counted_by_code_and_bare_ones_by_what_they_say(stage: Stage) -> None:
    stage.report(0, *["SITE_DOWN"] * 3, *["UNKNOWN_ONE"] * 2, message="it is 5 o'clock")
    for at, service, severity in ((1, "a", None), (2, "b", "CRITICAL"), (2, "b", "CRITICAL"), (3, "a", None)):
        stage.take(at, stage.event(at, message=f"disk {at} is gone", service=service, severity=severity))
    found = measure_coverage(stage.app.database, stage.app.rules.catalog)
    assert (found.events, found.covered) == (9, 3)
    assert found.share == pytest.approx(1 / 3)
    disk, coded = found.uncovered
    assert (disk.code, disk.count, disk.last_seen) == (None, 4, stage.time(3))
    assert (coded.code, coded.message, coded.count) == ("UNKNOWN_ONE", "it is 5 o'clock", 2)
    assert _draft(stage, "disk") == {
        "code": "DISK_GONE", "title": "disk <number> is gone", "category": "INFRASTRUCTURE",
        "severity": "WARNING", "match": [r"disk [\d.,]+ is gone"],
    }  # fmt: skip


def test_a_drafted_code_that_is_taken_gets_a_number() -> None:
    taken = Entry(code="SITE_DOWN", title="t", category="SYSTEM", severity="INFO", component="site")
    unknown = UncoveredFault(None, "Site 12 down", "WARNING", 1, START)
    assert unknown.draft_entry(Catalog([taken]))["code"] == "SITE_DOWN_2"


def _draft(stage: Stage, text: str) -> dict[str, Any]:
    found = measure_coverage(stage.app.database, stage.app.rules.catalog)
    return next(each for each in found.uncovered if each.contains(text)).draft_entry(stage.app.rules.catalog)
