"""Changing rule files: what is not concerned stays byte for byte, and nothing is half written."""

from __future__ import annotations

import difflib
import stat
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from firstcause.authoring.rule_editor import RuleFileText, check_changes, open_rule_file, replace_file
from firstcause.authoring.yaml_style import format_entry
from firstcause.errors import ConfigError, NotFoundError, RuleFileError
from firstcause.resources import shipped_path
from firstcause.rulefiles.load import load

FILE = """\
# Ours.
component: queue   # short

depends_on:
- network

catalog:
  # The worst of all.
  - code: "QUEUE_LOST"      # never seen
    title:   'Queue lost'
    category: DATA
    severity: CRITICAL
    match: ["queue.*lost",
            'gone']
    fix:
        # First look.
        steps:
          - Look.   # twice
          - 'Mend.'
    # The end of the first.

  - {code: QUEUE_SLOW, title: slow, category: DATA, severity: INFO}
# What follows are rules.
rules: []
# The very end.
"""
NEW = {"code": "QUEUE_FULL", "title": "Full", "category": "DATA", "severity": "WARNING"}
TEST = {
    "name": "full",
    "given": [{"at": "0s", "event": {"code": "QUEUE_FULL"}}],
    "expect": {"root": "QUEUE_FULL"},
}


def text(raw: str | bytes = FILE) -> RuleFileText:
    return RuleFileText(raw.encode() if isinstance(raw, str) else raw, "q.yaml")


def difference(old: RuleFileText, new: RuleFileText) -> list[str]:
    """The lines that went and came, without their places."""
    before, after = (each.raw.decode().splitlines() for each in (old, new))
    return [
        line
        for line in difflib.unified_diff(before, after, n=0, lineterm="")
        if line[:2] not in {"--", "++", "@@"}
    ]


def test_an_entry_is_added_after_the_last_and_nothing_else_changes() -> None:
    old = text()
    assert difference(old, old.add_entries([NEW], [TEST])) == [
        "+  - code: QUEUE_FULL",
        "+    title: Full",
        "+    category: DATA",
        "+    severity: WARNING",
        "+tests:",
        "+  - name: full",
        "+    given:",
        "+      - {at: 0s, event: {code: QUEUE_FULL}}",
        "+    expect: {root: QUEUE_FULL}",
    ]
    added = old.add_entries([NEW]).raw.decode()
    assert added.index("QUEUE_SLOW") < added.index("QUEUE_FULL") < added.index("# What follows")


def test_a_changed_entry_keeps_its_comments_order_and_quotes() -> None:
    old = text()
    changes = {
        "severity": "WARNING", "fix": {"steps": ["Look.", "Mend.", "Tell."], "url": "https://a.b"}, "docs": "https://c.d",
    }  # fmt: skip
    changed = difference(old, old.change_entry("QUEUE_LOST", changes))
    assert "-    severity: CRITICAL" in changed
    assert "+    severity: WARNING" in changed
    assert "+          - Tell." in changed
    assert "+        url: https://a.b" in changed
    assert "+    docs: https://c.d" in changed
    whole = old.change_entry("QUEUE_LOST", changes).raw.decode()
    for kept in (
        "# The worst",
        '"QUEUE_LOST"',
        "# never seen",
        "# First look.",
        "# twice",
        "'Mend.'",
        "# The end of the",
    ):
        assert kept in whole
    assert whole.partition("  - {code: QUEUE_SLOW")[2] == FILE.partition("  - {code: QUEUE_SLOW")[2]
    assert whole.partition("  - code:")[0] == FILE.partition("  - code:")[0]


def test_a_field_is_taken_away_and_one_in_brackets_changed() -> None:
    old = text()
    assert difference(old, old.change_entry("QUEUE_SLOW", {"title": "very slow", "severity": None})) == [
        "-  - {code: QUEUE_SLOW, title: slow, category: DATA, severity: INFO}",
        "+  - {code: QUEUE_SLOW, title: very slow, category: DATA}",
    ]


def test_changing_what_is_not_there_is_said() -> None:
    with pytest.raises(NotFoundError, match=r"q\.yaml has no entry QUEUE_GONE"):
        text().change_entry("QUEUE_GONE", {"title": "x"})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("component: a\n", "component: a\ncatalog:\n  - code: QUEUE_FULL\n"),
        ("component: a", "component: a\ncatalog:\n  - code: QUEUE_FULL\n"),
        (
            "component: a\ncatalog: []  # none\nrules: []\n",
            "component: a\ncatalog:  # none\n  - code: QUEUE_FULL\nrules: []\n",
        ),
        ("catalog:\ncomponent: a\n", "catalog:\n  - code: QUEUE_FULL\ncomponent: a\n"),
        ("component: a\n# R\nrules: []\n", "component: a\ncatalog:\n  - code: QUEUE_FULL\n# R\nrules: []\n"),
        (
            "catalog:\n- code: A\n\n\ncomponent: a\n",
            "catalog:\n- code: A\n- code: QUEUE_FULL\n\n\ncomponent: a\n",
        ),
        ("catalog:\n    -   code: A\n", "catalog:\n    -   code: A\n    -   code: QUEUE_FULL\n"),
        (
            "catalog:\n  - title: |\n      # a\n\n",
            "catalog:\n  - title: |\n      # a\n  - code: QUEUE_FULL\n\n",
        ),
    ],
)
def test_wherever_the_list_is_or_is_not(before: str, after: str) -> None:
    assert text(before).append_items("catalog", [{"code": "QUEUE_FULL"}]).raw.decode() == after


def test_line_ends_and_byte_order_mark_stay() -> None:
    old = text(b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode())
    raw = old.add_entries([NEW], [TEST]).change_entry("QUEUE_FULL", {"title": "Fuller"}).raw
    assert raw.startswith(b"\xef\xbb\xbf# Ours.\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert b"title: Fuller\r\n" in raw


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ("component: a\ncatalog: [{code: A}]\n", ":2:11: "),
        ("component: a\ncatalog: {}\n", ":2:10: "),
        ("component: a\ncatalog:\n  []\n", ":3:3: "),
        ("component: a\ncatalog:\n  -\n    code: A\n", ":4:5: "),
        ("component: a\ncatalog:\n  - title: |+\n      a\n\n", ":1:1: "),
    ],
)
def test_what_only_a_person_can_edit_is_refused_with_its_place(raw: str, place: str) -> None:
    with pytest.raises(RuleFileError, match="only a person can edit") as caught:
        text(raw).append_items("catalog", [NEW])
    assert f"q.yaml{place}" in str(caught.value)


def test_an_entry_that_stands_on_an_alias_is_refused() -> None:
    raw = "component: a\ncatalog:\n  - {code: A, title: &t one}\n  - code: B\n    title: *t\n"
    with pytest.raises(RuleFileError, match="by an alias"):
        text(raw).change_entry("B", {"severity": "INFO"})


def test_every_shipped_file_takes_an_entry_and_a_change() -> None:
    for file in shipped_path("rules").rglob("*.yaml"):
        old = open_rule_file(file)
        added = difference(old, old.add_entries([NEW], [TEST]))
        assert all(line.startswith("+") for line in added), file
        for entry in yaml.safe_load(old.raw).get("catalog", ()):
            if "code" in entry:
                (went, came) = difference(old, old.change_entry(entry["code"], {"title": "Other"}))
                assert (went.lstrip("- ").split(":")[0], came) == ("title", "+    title: Other")


TEXT = st.text(max_size=60).filter(lambda each: each.strip())
VALUES = st.recursive(
    TEXT | st.booleans() | st.integers(-(2**40), 2**40),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3) | st.dictionaries(st.sampled_from("abcde"), inner, min_size=1)
    ),
    max_leaves=10,
)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(("match", "title", "fix", "event")), VALUES, min_size=1), max_size=3
    )
)
def test_what_is_written_is_read_back(items: list[dict[str, Any]]) -> None:
    # RuleText itself compares what it reads back with what was to be written, and refuses otherwise.
    new = text().append_items("catalog", items)
    assert new.raw.decode().startswith(FILE.partition("# What follows")[0])
    assert new.raw.decode().endswith(FILE[FILE.index("# What follows") :])


@given(st.dictionaries(st.sampled_from(("title", "docs", "fix", "match")), VALUES | st.none()))
def test_what_is_changed_is_read_back(changes: dict[str, Any]) -> None:
    new = text().change_entry("QUEUE_LOST", changes)
    assert new.raw.decode().endswith(FILE[FILE.index("\n  - {code: QUEUE_SLOW") :])


def test_a_file_that_does_not_parse_is_named_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "q.yaml"
    file.write_text("component: a\ncatalog:\n\t- code: A\n")
    with pytest.raises(RuleFileError) as caught:
        open_rule_file(file)
    assert str(caught.value).startswith(f"{file}:3:1: a tab in the indentation")
    with pytest.raises(RuleFileError, match="cannot be read: No such file"):
        open_rule_file(tmp_path / "none.yaml")


def test_replacing_keeps_rights_and_links_and_leaves_nothing_behind(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    replace_file(link, b"new")
    assert (real.read_bytes(), link.is_symlink(), stat.S_IMODE(real.stat().st_mode)) == (b"new", True, 0o640)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.yaml", "real.yaml"]
    replace_file(tmp_path / "a" / "b.yaml", b"fresh")
    assert (tmp_path / "a" / "b.yaml").read_bytes() == b"fresh"


def test_what_cannot_be_replaced_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "q.yaml"
    file.write_text(FILE)

    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        replace_file(file, b"new")
    assert file.read_text() == FILE
    assert [each.name for each in tmp_path.iterdir()] == ["q.yaml"]


def test_a_result_is_checked_with_all_other_files_in_its_place(tmp_path: Path) -> None:
    mine, other = tmp_path / "rules" / "a.yaml", tmp_path / "rules" / "b.yaml"
    mine.parent.mkdir()
    mine.write_text(FILE)
    other.write_text(
        dedent("""\
        component: b
        catalog:
          - {code: OTHER, title: t, category: DATA, severity: INFO, causes: [QUEUE_FULL]}
        """)
    )
    folders = [tmp_path / "rules"]
    book = check_changes({mine: text().add_entries([NEW]).raw}, folders)
    assert book.catalog.entries.keys() == {"QUEUE_LOST", "QUEUE_SLOW", "QUEUE_FULL", "OTHER"}
    with pytest.raises(RuleFileError) as caught:
        check_changes({mine: text().add_entries([{**NEW, "code": "OTHER"}]).raw}, folders)
    assert f"{other}:3:70: unknown code 'QUEUE_FULL'" in str(caught.value)
    assert f"'OTHER' is already used at {mine}:" in str(caught.value)
    assert mine.read_text() == FILE


def test_an_entry_to_paste_loads(tmp_path: Path) -> None:
    pasted = format_entry(
        {**NEW, "match": [r"it's \d+"], "fix": {"steps": ["one\n  two", "no", "012", "a: b"]}}
    )
    (tmp_path / "a.yaml").write_text(f"component: a\ncatalog:\n{pasted}")
    entry = load([tmp_path]).catalog.entries["QUEUE_FULL"]
    assert entry.fix.steps == ("one\n  two", "no", "012", "a: b")
    assert entry.match == (r"it's \d+",)
