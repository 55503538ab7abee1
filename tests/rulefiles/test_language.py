"""Thresholds and `extends`, as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from firstcause.errors import RuleFileError
from firstcause.rulefiles.load import RuleBook, load

if TYPE_CHECKING:
    from pathlib import Path

BASE = """\
component: queue
thresholds: {deep: 100, words: [A_FULL, B_FULL], who: acme}
catalog:
  - code: A_FULL
    title: A is full
    category: DATA
    severity: WARNING
    match: [a is full]
    fix: {url: "https://a", steps: [empty it]}
  - {code: B_FULL, title: B is full, category: DATA, severity: WARNING}
rules:
  - id: deep
    about: x
    when:
      alert:
        kind: alert
        code: {in: $thresholds.words}
        count: {gte: $thresholds.deep}
        tenant: $thresholds.who
    then:
      - root_cause:
          of: $alert
          reason: "over {thresholds.deep} at {alert.tenant}, one of {thresholds.words}"
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def mistakes(folder: Path, **site: Any) -> list[str]:
    with pytest.raises(RuleFileError) as caught:
        load([folder], site)
    return [str(each).removeprefix(f"{folder}/") for each in caught.value.mistakes]


def written(book: RuleBook) -> Any:
    (rule,) = book.rules
    return rule.rule.when["alert"].model_dump(exclude_none=True, by_alias=True)


def test_a_rule_takes_the_files_values_and_the_sites_over_them(tmp_path: Path) -> None:
    write(tmp_path, base=BASE)
    book = load([tmp_path])
    assert written(book) == {
        "kind": "alert", "code": {"in": ("A_FULL", "B_FULL")}, "count": {"gte": 100}, "tenant": "acme",
    }  # fmt: skip
    (rule,) = book.rules
    assert rule.rule.then[0].verdict.reason == "over 100 at {alert.tenant}, one of A_FULL, B_FULL"
    ours = load([tmp_path], {"deep": 7, "words": ("B_FULL",), "who": "bolt"})
    assert written(ours) == {
        "kind": "alert",
        "code": {"in": ("B_FULL",)},
        "count": {"gte": 7},
        "tenant": "bolt",
    }
    # The environment knows only text.
    assert written(load([tmp_path], {"deep": "0"}))["count"] == {"gte": 0}


def test_thresholds_that_do_not_fit_are_all_named(tmp_path: Path) -> None:
    rules = BASE.partition("rules:\n")[2].replace("id: deep", "id: more")
    rules = rules.replace("$thresholds.words", "$thresholds.word").replace(
        "{thresholds.deep}", "{thresholds.dep}"
    )
    write(tmp_path, base=BASE, more=f"component: more\nthresholds: {{deep: 1}}\nrules:\n{rules}")
    found = mistakes(tmp_path, deap=3, who=4)
    taken = f"the threshold 'deep' is already used at {tmp_path}/base.yaml:2; rename or remove one"
    assert f"more.yaml:2:14: {taken}" in found
    assert "more.yaml:9:20: no rule file has a threshold 'word'; did you mean 'words'?" in found
    assert "more.yaml:15:19: no rule file has a threshold 'dep'; did you mean 'deep'?" in found
    assert "[rules] thresholds:0:0: no rule file has a threshold 'deap'; did you mean 'deep'?" in found
    assert "[rules] thresholds:0:0: 'who' is a text, not a number; give a text" in found


def test_a_site_changes_a_shipped_entry_without_touching_its_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        base=BASE,
        site="component: site\ncatalog:\n"
        "  - {extends: A_FULL, severity: CRITICAL, fix: {steps: [call the dba]}}\n"
        "  - {extends: A_FULL, code: A_FULL_AT_NIGHT, match: [a is full at night]}\n",
    )
    book = load([tmp_path])
    changed, new = book.catalog.entries["A_FULL"], book.catalog.entries["A_FULL_AT_NIGHT"]
    assert list(book.catalog.entries) == ["A_FULL", "B_FULL", "A_FULL_AT_NIGHT"]
    assert (changed.component, changed.severity, changed.title) == ("queue", "CRITICAL", "A is full")
    assert (changed.fix.url, changed.fix.steps) == ("https://a", ("call the dba",))
    assert (new.component, new.severity, new.fix.steps) == ("site", "CRITICAL", ("call the dba",))
    match = book.catalog.match_message("A is full at night")
    assert match is not None
    assert match.code == "A_FULL", "the order of the files decides, and the change keeps the place"


def test_extensions_extend_each_other_in_any_order(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="component: a\ncatalog:\n"
        "  - {extends: TWO, code: THREE, docs: d}\n"
        "  - {extends: ONE, code: TWO, title: two}\n",
        b="component: b\ncatalog:\n  - {code: ONE, title: one, category: DATA, severity: INFO}\n"
        "  - {extends: TWO, severity: WARNING}\n",
    )
    entries = load([tmp_path]).catalog.entries
    assert {code: (one.title, one.severity.value, one.docs) for code, one in entries.items()} == {
        "ONE": ("one", "INFO", None), "TWO": ("two", "WARNING", None), "THREE": ("two", "WARNING", "d"),
    }  # fmt: skip


def test_what_extends_wrongly_is_named_at_its_place(tmp_path: Path) -> None:
    write(
        tmp_path,
        base=BASE,
        site="""\
component: site
catalog:
  - {extends: A_FUL, title: x}
  - {extends: 3, title: x}
  - {extends: ROUND, code: AROUND}
  - {extends: AROUND, code: ROUND}
  - {extends: A_FULL, titel: x}
  - extends: A_FULL
    severity: BAD
""",
    )
    found = mistakes(tmp_path)
    assert [each for each in found if each.startswith("site.yaml")] == [
        "site.yaml:3:15: unknown code 'A_FUL'; did you mean 'A_FULL'?",
        "site.yaml:4:15: extends names the code of one entry, such as TWILIO_API_FAILURE",
        "site.yaml:5:15: extends forms a circle through ROUND; write one of the entries in full",
        "site.yaml:6:15: extends forms a circle through AROUND; write one of the entries in full",
        "site.yaml:7:23: unknown key 'titel'; did you mean 'title'?",
        "site.yaml:9:15: 'BAD' is not one of INFO, WARNING, CRITICAL",
    ]


def test_what_extends_a_broken_entry_adds_no_second_complaint(tmp_path: Path) -> None:
    entries = "  - {code: ONE, title: one, severity: INFO}\n  - {extends: ONE, code: TWO}\n"
    write(tmp_path, base=f"component: a\ncatalog:\n{entries}")
    assert mistakes(tmp_path) == ["base.yaml:3:5: 'category' is missing; add `category: ...`"]
