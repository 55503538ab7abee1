"""Changed rule files while errors come in: nothing is lost or leaks, and broken files change nothing."""

from __future__ import annotations

import resource
import threading
from typing import TYPE_CHECKING

import pytest

from firstcause.errors import RuleFileError
from support.scenario_app import START, Stage

if TYPE_CHECKING:
    from pathlib import Path

    from firstcause.core.model import Fact

FILE = """\
component: mine
catalog:
  - {{code: MINE, title: "number {number}", category: DATA, severity: CRITICAL, match: ["mine {number} is"]}}
rules:
  - id: mine
    about: x
    when: {{alert: {{kind: alert, code: MINE}}}}
    then:
      - root_cause: {{of: $alert, reason: "number {number}"}}
"""


def stage(folder: Path) -> Stage:
    (folder / "rules").mkdir()
    save(folder, 0)
    return Stage(f"sqlite:///{folder}/x.db", folder, rules={"paths": ["rules"]})


def save(folder: Path, number: int) -> None:
    # At once, as editors save: whoever reads meanwhile has the old file or the new one, never half of it.
    written = folder / "mine.yaml.new"
    written.write_text(FILE.format(number=number))
    written.replace(folder / "rules" / "mine.yaml")


def test_errors_that_come_while_rules_change_are_judged_by_one_set_or_the_other(tmp_path: Path) -> None:
    on = stage(tmp_path)
    failures: list[BaseException] = []

    def report() -> None:
        try:
            for number in range(60):
                on.report(number, "MINE", tenant=f"t{number}")
        except BaseException as error:
            failures.append(error)

    reporter = threading.Thread(target=report)
    reporter.start()
    reloads = 0
    while reporter.is_alive():
        reloads += 1
        save(tmp_path, reloads)
        on.app.rules.reload(START)
    reporter.join()
    assert failures == []
    assert reloads > 10
    (incident,) = on.app.incidents.list_incidents()
    alerts = on.app.incidents.get_incident(incident["id"])["alerts"]
    assert len(alerts) == 60


def test_a_broken_set_leaves_the_old_one_and_is_forgotten_when_mended(tmp_path: Path) -> None:
    on = stage(tmp_path)
    before = on.app.rules.current
    (tmp_path / "rules" / "mine.yaml").write_text("component: mine\ncatalog: 7\nrules: 8\n")
    with pytest.raises(RuleFileError):
        on.app.rules.reload(START)
    assert on.app.rules.current is before
    refused = on.app.monitoring.get_status(START)["rules"]["refused"]
    assert [each["line"] for each in refused["mistakes"]] == [2, 3]
    assert refused["at"] == "2026-11-01T03:00:00.000Z"
    save(tmp_path, 5)
    on.app.rules.reload(START)
    assert on.app.monitoring.get_status(START)["rules"]["refused"] is None
    assert on.app.rules.catalog.entries["MINE"].title == "number 5"


@pytest.mark.slow
def test_reloading_again_and_again_costs_no_memory(tmp_path: Path) -> None:
    on = stage(tmp_path)
    fact: Fact = {"kind": "alert", "id": "a", "code": "MINE"}

    def reload(times: int) -> None:
        for _ in range(times):
            on.app.rules.reload(START)
            on.app.rules.current.inference.evaluate([fact])

    reload(500)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reload(10_000)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 4096, f"{grown} KiB"
