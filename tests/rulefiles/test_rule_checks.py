"""Rules that are well-formed and cannot work: each is named with its place and the fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from firstcause.errors import RuleFileError
from firstcause.inference.patterns import is_impossible
from firstcause.rulefiles.load import load

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
component: db
catalog:
  - {code: DB_DOWN, title: t, category: DATA, severity: INFO, causes: [APP_DOWN], fix: {env_vars: [DB_URL]}}
  - {code: APP_DOWN, title: t, category: SYSTEM, severity: INFO}
rules:
"""


def mistakes(folder: Path, rules: str) -> list[str]:
    (folder / "db.yaml").write_text(HEAD + rules)
    try:
        load([folder])
    except RuleFileError as error:
        return [str(each).removeprefix(f"{folder}/db.yaml:") for each in error.mistakes]
    return []


def rule(pattern: str, name: str = "one", then: str = "root_cause: {of: $a, reason: r}", **more: str) -> str:
    extra = "".join(f"    {key}: {value}\n" for key, value in more.items())
    return f"""\
  - id: {name}
    about: x
{extra}    when:
      a: {{kind: alert, service: api}}
      b: {pattern}
    then:
      - {then}
"""


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{kind: alrt}", "there are no facts of the kind 'alrt'; did you mean 'alert'?"),
        (
            "{kind: weather, rain: true}",
            "there are no facts of the kind 'weather'; correct it, or, if a plugin",
        ),
        ("{kind: change, categry: deployment}", "no change has a field 'categry'; did you mean 'category'?"),
        ("{kind: change, category: deploymnt}", "'deploymnt' is not one of environment, configuration"),
        ('{kind: alert, count: ">5"}', "count is a number, and '>5' is none; write {gt: 5}"),
        ('{kind: alert, count: {in: ["5"]}}', "count is a number, and '5' is none; write 5 without quotes"),
        ("{kind: alert, tenant: 5}", "tenant is a text, so it never equals 5; put it in quotes"),
        ("{kind: alert, customer_facing: 1}", "customer_facing is true or false, and never 1"),
        ("{kind: alert, count: {gte: 5m}}", "count is no time; write a number instead of 5m"),
        ("{kind: reading, latency_ms: {gte: 5s}}", "latency_ms is in milliseconds; write the number"),
        ("{kind: alert, count: {gt: $b.count}}", "'$b.count' does not name an earlier fact of `when`"),
        ("{kind: alert, within: 5m}", "`within` needs an earlier fact; add `after: $name`"),
        ("{kind: alert, for: long}", "'long' is not a duration; use for example 30s, 5m, 1h30m"),
        ("{kind: alert, any: []}", "`any` is a list of patterns"),
        ("{kind: alert, tags: {owner: jane}}", "unknown key 'owner'; write tags.owner: ..."),
        ("{kind: alert, tenant: {ne: test}}", "unknown key 'ne'; write not"),
        ("{kind: alert, count: {gt: 5, lt: 5}}", "no number is both > 5 and < 5; correct one of them"),
        ("{kind: alert, count: {gte: 5, lte: 4}}", "no number is both >= 5 and <= 4; correct one of them"),
        ("{kind: alert, count: {in: [1, 2], gt: 2}}", "no value of the list passes the other tests"),
        ("{kind: alert, title: {matches: x, gt: 2}}", "a text is never > 2; remove one of the tests"),
        ("{kind: alert, probe: {exists: false, matches: x}}", "a field without a value passes no other test"),
        (
            "{kind: alert, code: DB_DOWN, component: app}",
            "DB_DOWN has the component db, so this never fires; write component: db",
        ),
        (
            "{kind: alert, code: DB_DOWN, category: SYSTEM}",
            "DB_DOWN has the category DATA, so this never fires; write category: DATA",
        ),
        ("{kind: alert, code: DB_DOWN, catalogued: false}", "DB_DOWN is in the catalog, so this never fires"),
        (
            "{kind: edge, cause_code: APP_DOWN, effect_code: DB_DOWN}",
            "no entry's causes lead from APP_DOWN to DB_DOWN, so this never fires",
        ),
        ("{kind: env, name: DB_URI, present: false}", "no entry's fix names DB_URI, so it is not checked"),
        ("{kind: verdict, rule: oen}", "no rule has the id 'oen'; did you mean 'one'?"),
        ("{kind: verdict, verdict: suppress}", "no rule gives such a verdict, so this never fires"),
        ("{kind: verdict, rule: one}", "verdicts go in a circle: one looks at one"),
    ],
)
def test_what_never_fires_is_a_mistake(tmp_path: Path, pattern: str, said: str) -> None:
    (found,) = mistakes(tmp_path, rule(pattern))
    line, column, text = found.split(":", 2)
    assert text.strip().startswith(said)
    assert (int(line), int(column) > 0) == (6 if "circle" in said else 10, True)


@pytest.mark.parametrize(
    "pattern",
    [
        "{kind: alert, count: {gte: 5, lte: 5}}",
        "{kind: alert, count: {in: [1, 3], gt: 2}}",
        "{kind: alert, component: $a.component}",
        "{kind: edge, cause_code: DB_DOWN, effect_code: APP_DOWN}",
        "{kind: env, name: DB_URL, present: false}",
        "{kind: deploy, service: api, age_s: {lt: 600}}",
        "{kind: alert, service: $a.service, code: {not_in: [DB_DOWN]}, tenant: {not: test}}",
        "{kind: alert, service: $a.service, age_s: {gte: 5m}}",
        "{kind: alert, service: $a.service, count: {gt: {of: $a.count, times: 2}}, after: $a, within: 5m}",
        "{kind: alert, service: $a.service, any: [{code: DB_DOWN}, {for: 3m}, {absent: 10m}]}",
        "{kind: alert, details.db.host: db-1, tags.owner: jane, labels.instance: $a.labels.instance}",
        "{kind: clock, weekday: {in: [sat, sun]}, hour: {gte: 22}, holiday: false}",
    ],
)
def test_what_can_fire_is_none(tmp_path: Path, pattern: str) -> None:
    assert mistakes(tmp_path, rule(pattern)) == []


def test_a_join_to_what_is_never_there(tmp_path: Path) -> None:
    text = rule("{kind: alert, tenant: $a.tenant}").replace(
        "a: {kind: alert, service: api}", "a: {kind: alert, tenant: {exists: false}}"
    )
    assert mistakes(tmp_path, text) == [
        "10:32: $a.tenant never has a value: a must have no tenant; remove one of the two"
    ]


ANY = "{kind: alert, code: DB_DOWN, tenant: $a.tenant}"
SAME = "{tenant: $x.tenant, code: DB_DOWN, kind: alert}"


def other(then: str, **more: str) -> str:
    return rule(SAME, "two", then, **more).replace("      a:", "      x:")


def test_two_rules_that_contradict_are_a_mistake_whatever_they_call_the_facts(tmp_path: Path) -> None:
    first = rule(ANY, then="cascade: {of: $a, by: $b, reason: r}")
    (found,) = mistakes(tmp_path, first + other("root_cause: {of: $x, reason: r}"))
    where = f"one ({tmp_path}/db.yaml:6)"
    assert found == (
        f"19:7: rule two contradicts {where}: for the same facts they claim of $x that fact 1 causes it "
        "and that it is a root; give one a higher priority, or correct it"
    )
    assert mistakes(tmp_path, first + other("root_cause: {of: $x, reason: r}", priority="5")) == []
    assert mistakes(tmp_path, first + other("root_cause: {of: $b, reason: r}").replace("$b", "$x")) != []


def test_two_rules_that_differ_about_the_impact_contradict_and_two_that_agree_repeat(tmp_path: Path) -> None:
    first = rule(ANY, then="impact: {of: $a, priority: P0, revenue: LOW}")
    (found,) = mistakes(tmp_path, first + other("impact: {of: $x, priority: P1}"))
    assert 'for the same facts they claim of $x priority "P0" and priority "P1"' in found
    (found,) = mistakes(
        tmp_path, first + other("impact: {of: $x, priority: P0, revenue: LOW, reason: other}")
    )
    assert found.startswith("19:7: rule two repeats one (")
    assert mistakes(tmp_path, first + other("impact: {of: $x, customer_facing: true}")) == []


def test_a_broken_file_is_not_taken_for_missing_rules(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("component: x\nrules:\n  - {id: gone, colour: red}\n")
    (tmp_path / "db.yaml").write_text(HEAD + rule("{kind: verdict, rule: gone}"))
    with pytest.raises(RuleFileError) as caught:
        load([tmp_path])
    assert all("broken.yaml" in each.path for each in caught.value.mistakes)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (".*", "matches every text; make it more specific"),
        ("down|", "matches every text; make it more specific"),
        ("^down$again", "matches no text: nothing can follow $ or precede ^; remove it"),
        ("down^again", "matches no text: nothing can follow $ or precede ^; remove it"),
    ],
)
def test_patterns_that_tell_nothing_apart(tmp_path: Path, pattern: str, said: str) -> None:
    entry = f"  - {{code: X, title: t, category: DATA, severity: INFO, match: ['{pattern}']}}\n"
    (tmp_path / "db.yaml").write_text(f"component: db\ncatalog:\n{entry}")
    with pytest.raises(RuleFileError) as caught:
        load([tmp_path])
    assert str(caught.value) == f"{tmp_path}/db.yaml:3:65: the pattern {pattern!r} {said}"


@pytest.mark.parametrize("pattern", [r"costs \$5", "^a$", "(a$|b)c", "[$]x", r"a\b$", "(?m)a$\nb", "x?^a"])
def test_patterns_with_ends_that_can_be_found(pattern: str) -> None:
    assert not is_impossible(pattern)


def test_facts_that_nothing_joins_are_a_mistake_that_names_the_join(tmp_path: Path) -> None:
    unjoined = rule("{kind: alert, severity: CRITICAL}").replace("service: api", "severity: CRITICAL")
    (found,) = mistakes(tmp_path, unjoined)
    assert found.startswith(
        "10:10: rule one makes up to 1,001,000 combinations of facts at 1,000 active alerts"
    )
    assert "join b to an earlier fact, such as `component: $a.component`, or narrow it" in found
    joined = unjoined.replace("b: {kind: alert", "b: {kind: alert, component: $a.component")
    assert mistakes(tmp_path, joined) == []
