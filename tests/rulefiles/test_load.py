"""Loading folders of rule files: the book they give, and every mistake with its place."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from firstcause.errors import RuleFileError
from firstcause.rulefiles.load import RuleFolder, load

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
component: twilio
depends_on: [network]
catalog:
  - code: API_DOWN
    title: The API is down
    category: EXTERNAL_SERVICE
    severity: critical
    match: ["api.*refused"]
    causes: [SMS_LOST]
  - {code: SMS_LOST, title: SMS lost, category: SYSTEM, severity: WARNING}
rules:
  - id: api-down
    about: It is down.
    when:
      alert: {kind: alert, code: API_DOWN}
    then:
      - root_cause: {of: $alert, reason: down}
tests:
  - name: both
    given:
      - {at: 0s, event: {code: SMS_LOST, tenant: acme}}
      - {at: 1m30s, event: {message: "api refused"}}
    expect: {incidents: 1, root: API_DOWN, cascades: [SMS_LOST]}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules"


def write(rules: Path, text: str, name: str = "area/a.yaml") -> str:
    file = rules / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dedent(text))
    return str(file)


def mistakes(rules: Path) -> list[str]:
    """The mistakes with the folder's own path taken off."""
    with pytest.raises(RuleFileError) as caught:
        load([rules])
    return [str(mistake).removeprefix(f"{rules}/") for mistake in caught.value.mistakes]


def test_a_good_file_gives_a_book(rules: Path) -> None:
    write(rules, GOOD)
    book = load([rules])
    assert book.files == ("rules/area/a.yaml",)
    entry = book.catalog.entries["API_DOWN"]
    assert (entry.component, entry.severity, entry.causes) == ("twilio", "CRITICAL", ("SMS_LOST",))
    found = book.catalog.match_message("the API has Refused us")
    assert found is entry
    (placed,) = book.rules
    assert (placed.rule.id, placed.file, placed.line) == ("api-down", "rules/area/a.yaml", 12)
    assert book.depends_on == {"twilio": ("network",)}
    (test,) = book.tests
    assert test.line == 19
    assert [step.at for step in test.test.given] == [0.0, 90.0]


def test_hidden_retired_and_other_files_are_left_out(rules: Path) -> None:
    write(rules, GOOD)
    for name in ("deprecated/b.yaml", ".git/c.yaml", "area/.a.yaml", "area/notes.txt"):
        write(rules, "not: [a rule file", name)
    write(rules, "component: b\n", "area/b.yml")
    assert load([rules]).files == ("rules/area/a.yaml", "rules/area/b.yml")


def test_the_same_file_by_two_ways_is_read_once(rules: Path) -> None:
    write(rules, GOOD)
    assert load([rules, rules / "area", rules / "area" / "a.yaml"]).files == ("rules/area/a.yaml",)


def test_a_folder_can_be_shown_under_another_name(rules: Path) -> None:
    write(rules, GOOD)
    assert load([RuleFolder(rules, "myplugin")]).files == ("myplugin/area/a.yaml",)


def test_a_missing_folder_is_a_mistake(rules: Path) -> None:
    assert mistakes(rules) == [f"{rules}:0:0: no such folder of rules; make it, or correct the path"]


ONE_MISTAKE = [
    ("severity: critical", "severty: critical", ":7:5: unknown key 'severty'; did you mean 'severity'?"),
    ("    severity: critical\n", "", ":4:5: 'severity' is missing; add `severity: ...`"),
    (
        "severity: critical",
        "severity: CRITCAL",
        ":7:15: 'CRITCAL' is not one of INFO, WARNING, CRITICAL; did you mean 'CRITICAL'?",
    ),
    (
        "EXTERNAL_SERVICE",
        "NETWORK",
        ":6:15: 'NETWORK' is not one of INFRASTRUCTURE, EXTERNAL_SERVICE, COMPANY_CONFIG, SYSTEM, DATA",
    ),
    (
        "    severity: critical\n",
        "    severity: critical\n    customer_facing: yes\n",
        ":8:22: expected true or false, got the text 'yes'; write true",
    ),
    ("title: The API is down", "title: 12", ":5:12: expected text, got the number 12; put it in quotes"),
    (
        'match: ["api.*refused"]',
        "match: refused",
        ":8:12: expected a list, got the text 'refused'; put it in brackets: [...]",
    ),
    ("title: The API is down", "title:", ":5:11: expected text, got nothing"),
    ("causes: [SMS_LOST]", "causes: [SMS_LOTS]", ":9:14: unknown code 'SMS_LOTS'; did you mean 'SMS_LOST'?"),
    (
        "causes: [SMS_LOST]",
        "causes: [API_DOWN]",
        ":9:14: causes go in a circle: API_DOWN -> API_DOWN; remove one of them",
    ),
    ("causes: [SMS_LOST]", "causes: [SMS_LOST, SMS_LOST]", ":9:24: SMS_LOST is listed twice; remove one"),
    ('["api.*refused"]', '["api.*(refused"]', ":8:13: the pattern does not compile: "),
    ("code: API_DOWN}", "code: API_DWON}", ":15:34: unknown code 'API_DWON'; did you mean 'API_DOWN'?"),
    (
        "code: API_DOWN}",
        "code: {in: [SMS_LOST, API_DWON]}}",
        ":15:50: unknown code 'API_DWON'; did you mean 'API_DOWN'?",
    ),
    (
        "code: API_DOWN}",
        "sevrity: CRITICAL}",
        ":15:28: no alert has a field 'sevrity'; did you mean 'severity'?",
    ),
    (
        "code: API_DOWN}",
        "severity: critical}",
        ":15:38: 'critical' is not one of INFO, WARNING, CRITICAL; did you mean 'CRITICAL'?",
    ),
    (
        "code: API_DOWN}",
        "count: {gtt: 2}}",
        ":15:36: unknown key 'gtt'; did you mean 'gt'?",
    ),
    ("code: API_DOWN}", "count: [2]}", ":15:35: expected text or true or false or a number, got a list"),
    ("      alert: {", "      Alert: {", ":15:7: 'Alert' is not a name for a fact"),
    ("of: $alert,", "of: alert,", ":17:26: 'alert' is not a fact that `when` names, such as $alert"),
    ("root_cause: {", "root: {", ":17:9: unknown key 'root'"),
    (
        "root_cause: {of: $alert, reason: down}",
        "impact: {of: $alert, priority: P7}",
        ":17:40: 'P7' is not one of P0, P1, P2, a fact's field such as $alert.priority",
    ),
    ("id: api-down", "id: API down", ":12:9: 'API down' is not a rule id"),
    ("at: 1m30s", "at: soon", ":22:14: 'soon' is not a duration"),
    ("at: 0s", "at: 5m", ":19:5: the steps of `given` go back in time"),
    ("root: API_DOWN, ", "root: API_DWON, ", ":23:34: unknown code 'API_DWON'; did you mean 'API_DOWN'?"),
    ("depends_on: [network]", "depends_on: [twilio]", ":1:1: twilio depends on itself"),
    ("component: twilio\n", "", ":1:1: 'component' is missing; add `component: ...`"),
    ("rules:", "ruels:", ":11:1: unknown key 'ruels'; did you mean 'rules'?"),
]


@pytest.mark.parametrize(("good", "bad", "told"), ONE_MISTAKE)
def test_one_mistake_is_told_once_with_its_place(rules: Path, good: str, bad: str, told: str) -> None:
    assert GOOD.count(good) == 1
    write(rules, GOOD.replace(good, bad))
    found = mistakes(rules)
    assert len(found) == 1, found
    assert found[0].startswith("area/a.yaml:")
    assert told in found[0]


def test_a_circle_over_two_files_is_printed_once(rules: Path) -> None:
    write(rules, GOOD)
    write(
        rules,
        """\
        component: b
        catalog:
          - {code: BILL_LOST, title: t, category: DATA, severity: INFO, causes: [API_DOWN]}
        """,
        "area/b.yaml",
    )
    file = rules / "area" / "a.yaml"
    file.write_text(file.read_text().replace("severity: WARNING}", "severity: WARNING, causes: [BILL_LOST]}"))
    (told,) = mistakes(rules)
    assert told.startswith(
        "area/b.yaml:3:74: causes go in a circle: API_DOWN -> SMS_LOST -> BILL_LOST -> API_DOWN"
    )


def test_an_id_taken_in_another_file_names_that_file(rules: Path) -> None:
    first = write(rules, GOOD)
    write(rules, GOOD.replace("API_DOWN", "API_GONE").replace("SMS_LOST", "SMS_GONE"), "area/b.yaml")
    assert mistakes(rules) == [
        f"area/b.yaml:12:9: the rule id 'api-down' is already used at {first}:12; rename or remove one"
    ]


def test_a_code_taken_in_the_same_file_names_the_line(rules: Path) -> None:
    first = write(
        rules,
        GOOD.replace("rules:", "  - {code: SMS_LOST, title: t, category: DATA, severity: INFO}\nrules:"),
    )
    assert mistakes(rules) == [
        f"area/a.yaml:11:12: the code 'SMS_LOST' is already used at {first}:10; rename or remove one"
    ]


def test_all_mistakes_of_all_files_come_at_once_in_their_order(rules: Path) -> None:
    write(
        rules,
        GOOD.replace("severity: critical", "severty: critical").replace(
            "kind: alert, code", "kind: alert, kode"
        ),
    )
    write(rules, "component: [\n", "area/b.yaml")
    write(rules, "component: c\ncatalog: 3\nruels: []\n", "area/c.yaml")
    write(rules, "", "area/d.yaml")
    assert [one.split(" ")[0] for one in mistakes(rules)] == [
        "area/a.yaml:7:5:",
        "area/a.yaml:15:28:",
        "area/b.yaml:2:1:",
        "area/c.yaml:2:10:",
        "area/c.yaml:3:1:",
        "area/d.yaml:0:0:",
    ]


def test_codes_of_a_broken_file_are_not_called_unknown(rules: Path) -> None:
    write(rules, GOOD)
    write(rules, "component: b\ncatalog:\n  - code: PAGER_LOST\n    title: 'x\n", "area/b.yaml")
    file = rules / "area" / "a.yaml"
    file.write_text(file.read_text().replace("causes: [SMS_LOST]", "causes: [PAGER_LOST]"))
    (told,) = mistakes(rules)
    assert told.startswith("area/b.yaml:")
