"""Alert rules and runbook pages into entries: what is taken, what is merged, and what is said of the rest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from firstcause.authoring.entry_draft import (
    build_message_code,
    build_message_pattern,
    build_name_pattern,
    build_pattern,
    format_parts,
    parse_template,
)
from firstcause.authoring.rule_editor import RuleFileText, check_changes
from firstcause.authoring.runbook_parser import Section, parse_page
from firstcause.authoring.sources import CollectedDrafts, build_tests, collect_drafts, normalize_component
from firstcause.core.catalog import Catalog, Entry, EntryBody
from firstcause.core.text.error_codes import code_of
from firstcause.inference.patterns import compile_pattern

SHARED = Path(os.environ.get("FIRSTCAUSE_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
PUBLIC = SHARED / "catalog" / "raw_public"
NOTHING = Catalog([])

ALERTS = """\
groups:
  - name: queues
    rules:
      - record: job:errors:rate5m
        expr: sum(rate(errors[5m]))
      - alert: QueueTooLong
        expr: |
          queue_length
            > 100
        for: 10m
        labels: {severity: page}
        annotations:
          summary: Queue too long (instance {{ $labels.instance }})
          description: "Nobody takes work from {{ $labels.queue }}.\\n  VALUE = {{ $value }}"
          runbook_url: https://example.org/runbooks/queue
      - alert: QueueIdle
        expr: queue_length == 0
        labels: {severity: none}
"""

PAGE = """\
---
title: Queue Too Long
---

# QueueTooLong

## Meaning
The workers do not keep up.

## Impact
Messages are late.

## Diagnosis
1. Count the workers:
   ```sh
   $ workers list
   worker-1
   ```
2. Read [the log](https://example.org/log).

### Slow disk
Look at **iostat**.

## Mitigation
- Start a worker,
  or two.
- TODO
"""


def put(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def entries(gathered: CollectedDrafts) -> dict[str, Any]:
    """By code, each as the loader would take it."""
    return {draft.code: EntryBody.model_validate(draft.entry) for draft in gathered.drafts}


def test_alert_rules_become_entries(tmp_path: Path) -> None:
    file = put(tmp_path, "Queue Mons/a.yml", ALERTS)
    gathered = collect_drafts([file], NOTHING)
    assert gathered.skipped == []
    long, idle = entries(gathered).values()
    assert (long.code, long.title, long.severity) == ("QUEUE_TOO_LONG", "Queue too long", "CRITICAL")
    assert long.match == (r"\bQueueTooLong\b", r"Queue too long \(instance .*\)")
    assert long.verify.steps == ("This is no longer true, for 10m at least: queue_length > 100",)
    assert long.docs == "https://example.org/runbooks/queue"
    assert long.common_causes == ("Nobody takes work from <queue>.",)
    assert long.impact.priority == "P1"
    assert (idle.code, idle.title, idle.severity) == ("QUEUE_IDLE", "Queue Idle", "INFO")
    assert idle.verify.steps == ("This is no longer true: queue_length == 0",)
    assert [draft.component for draft in gathered.drafts] == ["queue-mons", "queue-mons"]


def test_a_runbook_page_becomes_an_entry(tmp_path: Path) -> None:
    gathered = collect_drafts([put(tmp_path, "queues/QueueTooLong.md", PAGE)], NOTHING)
    (entry,) = entries(gathered).values()
    assert (entry.code, entry.title, entry.severity) == (
        "QUEUE_TOO_LONG", "The workers do not keep up", "WARNING",
    )  # fmt: skip
    assert entry.reproduce == (
        "Count the workers:\nworkers list",
        "Read the log (https://example.org/log).",
        "Slow disk: Look at iostat.",
    )
    assert entry.fix.steps == ("Start a worker, or two.",)
    assert entry.common_causes == ("The workers do not keep up.",)
    assert entry.impact.features == ("Messages are late",)
    assert entry.docs == "https://example.org/log"


def test_a_rule_and_a_page_of_one_alert_become_one_entry(tmp_path: Path) -> None:
    page = put(tmp_path, "books/QueueTooLong.md", PAGE)
    rule = put(tmp_path, "rules/a.yml", ALERTS)
    gathered = collect_drafts([tmp_path], NOTHING)
    merged = next(draft for draft in gathered.drafts if draft.code == "QUEUE_TOO_LONG")
    assert (merged.source, merged.page, merged.component) == (str(rule), str(page), "rules")
    entry = entries(gathered)["QUEUE_TOO_LONG"]
    assert (entry.title, entry.severity) == ("Queue too long", "CRITICAL")
    assert entry.docs == "https://example.org/runbooks/queue"
    assert entry.fix.steps == ("Start a worker, or two.",)
    assert entry.common_causes == ("Nobody takes work from <queue>.", "The workers do not keep up.")
    assert entry.match == (r"\bQueueTooLong\b", r"Queue too long \(instance .*\)")
    assert gathered.file_count == 2


def test_what_is_there_twice_or_known_is_skipped_and_said(tmp_path: Path) -> None:
    put(tmp_path, "a.yml", ALERTS)
    put(tmp_path, "b.yml", ALERTS)
    known = Entry(code="QUEUE_IDLE", title="t", category="DATA", severity="INFO", component="mine")
    gathered = collect_drafts([tmp_path], Catalog([known]))
    assert [draft.code for draft in gathered.drafts] == ["QUEUE_TOO_LONG"]
    reasons = [(Path(each.source).name, each.reason, each.already_known) for each in gathered.skipped]
    assert reasons == [
        ("b.yml", f"QUEUE_TOO_LONG is there already, from {tmp_path / 'a.yml'}", False),
        ("b.yml", f"QUEUE_IDLE is there already, from {tmp_path / 'a.yml'}", False),
        ("a.yml", "QUEUE_IDLE is in the catalog already, in component mine", True),
    ]


UNFIT = [
    ("groups: null\n", "no `groups` of alert rules"),
    ("groups:\n  - name: a\n    rules: null\n", "no alert rules in its groups"),
    ("a: 1\n---\nb: 2\n", "line 2: a second document"),
    ("groups:\n{{- range .Values.rules }}\n  - name: {{ .name }}\n", "it is a template, render it first"),
    ("groups: [\n", "not YAML"),
    ("- a\n", "line 1: the top of a rule file is a mapping"),
    ("", "the file is empty"),
    ("groups:\n  - rules:\n      - alert: '???'\n", "gives no code"),
    (f"groups:\n  - rules:\n      - alert: {'Long' * 60}\n", "gives no code"),
    (f"a: {'[' * 60}\n", "nested more than"),
]


@pytest.mark.parametrize(("text", "reason"), UNFIT, ids=[reason for _text, reason in UNFIT])
def test_a_file_that_cannot_be_used_is_said_and_the_others_go_on(
    tmp_path: Path, text: str, reason: str
) -> None:
    bad = put(tmp_path, "a.yml", text)
    put(tmp_path, "b.yml", ALERTS)
    gathered = collect_drafts([tmp_path], NOTHING)
    assert len(gathered.drafts) == 2
    (skipped,) = gathered.skipped
    assert skipped.source.startswith(str(bad))
    assert reason in skipped.reason


def test_bytes_that_are_no_text_and_files_too_large_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"# Alert\xff\n## Impact\nbad\n")
    (tmp_path / "b.yml").write_bytes(b"groups: \xff\n")
    (tmp_path / "c.yml").write_bytes(b"#" * (5 << 20))
    gathered = collect_drafts([tmp_path], NOTHING)
    assert gathered.drafts == []
    said = [each.reason for each in gathered.skipped]
    assert ["UTF-8" in said[0], "UTF-8" in said[1], "larger than 4 MiB" in said[2]] == [True] * 3


def test_groups_without_rules_do_not_hide_the_others(tmp_path: Path) -> None:
    file = put(tmp_path, "a.yml", "groups:\n  - {name: none, rules: null}\n  - null\n" + ALERTS[8:])
    assert len(collect_drafts([file], NOTHING).drafts) == 2


def test_a_prometheus_rule_of_kubernetes_is_read(tmp_path: Path) -> None:
    spec = yaml.safe_dump({"kind": "PrometheusRule", "spec": yaml.safe_load(ALERTS)})
    assert len(collect_drafts([put(tmp_path, "a.yaml", spec)], NOTHING).drafts) == 2


def test_hidden_and_other_files_of_a_folder_are_left_alone(tmp_path: Path) -> None:
    put(tmp_path, ".git/a.yml", ALERTS)
    put(tmp_path, "notes.txt", "no: [yaml")
    put(tmp_path, "a.yml", ALERTS)
    gathered = collect_drafts([tmp_path], NOTHING)
    assert (gathered.file_count, gathered.skipped) == (1, [])


def test_a_file_of_any_name_is_read_where_it_is_named(tmp_path: Path) -> None:
    page, rules = put(tmp_path, "QueueTooLong", PAGE), put(tmp_path, "alerts.txt", ALERTS)
    assert [draft.code for draft in collect_drafts([page, rules], NOTHING).drafts] == [
        "QUEUE_TOO_LONG",
        "QUEUE_IDLE",
    ]


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("DiskFull.md", "---\ntitle: Disk Full\n---\n# WrongTitle\n## Impact\nbad\n", "DISK_FULL"),
        ("DiskFull.md", "# Disk Full\n## Impact\nbad\n", "DISK_FULL"),
        ("disk.md", "# DiskFull\n## Impact\nbad\n", "DISK_FULL"),
        ("DiskFull.md", "# What to do when it is\n## Impact\nbad\n", "DISK_FULL"),
        ("disk.md", "# Disk is full\n## Impact\nbad\n", "DISK_IS_FULL"),
        ("DiskFull.md", "## Impact\nbad\n", "DISK_FULL"),
        ("DiskFull.md", "DiskFull\n========\n\nImpact\n------\nbad\n", "DISK_FULL"),
        ("DiskFull.md", "# DiskFull\nRemove what nobody needs.\n", "DISK_FULL"),
    ],
)
def test_the_name_is_what_most_of_title_file_and_front_matter_say(
    tmp_path: Path, name: str, text: str, code: str
) -> None:
    gathered = collect_drafts([put(tmp_path, name, text)], NOTHING)
    assert [draft.code for draft in gathered.drafts] == [code], gathered.skipped


def test_a_page_about_no_alert_is_no_entry(tmp_path: Path) -> None:
    put(tmp_path, "README.md", "# Runbooks\n\nAll of them.\n")
    put(tmp_path, "_index.md", "---\ntitle: node\n---\n")
    gathered = collect_drafts([tmp_path], NOTHING)
    assert gathered.drafts == []
    assert all("no section such as Meaning" in each.reason for each in gathered.skipped)


def test_sections_of_other_names_and_levels() -> None:
    page = parse_page(
        "# A\nIntro.\n\n### Overview\nOne.\n### Possible causes:\n* x\n"
        "### Troubleshooting\nTwo.\n#### Deeper\nThree.\n### Notes\nFour.\n### How to fix\nFive.\n"
    )
    assert page.intro == ["Intro."]
    assert page.sections == {
        Section.MEANING: ["One."],
        Section.CAUSES: ["x"],
        Section.DIAGNOSIS: ["Two.", "Deeper: Three."],
        Section.MITIGATION: ["Five."],
    }


def test_markup_of_a_page_is_taken_off_and_code_kept() -> None:
    page = parse_page(
        '# A\n## Fix\n<!-- hidden\n# B -->\nSee [here]({{< ref "x" >}}), **now**.<br/>\n\n'
        "```\n# not a heading\n  ls <name>\n```\n~~~sh\n$ one\nprinted\n$ two\n~~~\n"
    )
    assert page.sections[Section.MITIGATION] == ["See here, now.\n# not a heading\n  ls <name>", "one\ntwo"]


def test_a_list_within_a_list_belongs_to_its_item() -> None:
    page = parse_page(
        "## Fix\n1. Find the leader:\n   - ask *each* member\n   - read the log\n     of `etcd`\n\n"
        "     ```sh\n"
        "     $ journalctl -u etcd\n     -- Logs\n     ```\n2. [ ] Restart it\n\n   Then wait.\n"
    )
    assert page.sections[Section.MITIGATION] == [
        "Find the leader:\n- ask each member\n- read the log of `etcd`\n  journalctl -u etcd",
        "Restart it\nThen wait.",
    ]


def test_each_row_of_a_table_is_a_step() -> None:
    page = parse_page(
        "## Causes\n\n| Symptom | Cause | |\n|---|:-:|---|\n"
        "| slow | a `lock` \\| two | see [log](https://e.org/l) |\n| down | | |\n"
    )
    assert page.sections[Section.CAUSES] == [
        "Symptom: slow; Cause: a `lock` | two; see log (https://e.org/l)", "Symptom: down",
    ]  # fmt: skip


def test_a_fence_holds_headings_lists_and_shorter_fences() -> None:
    page = parse_page(
        "## Fix\nRun:\n````\n## Impact\n- not an item\n```\n````\n## Impact\nSlow\n\n    indented code\n"
    )
    assert page.sections == {
        Section.MITIGATION: ["Run:\n## Impact\n- not an item\n```"],
        Section.IMPACT: ["Slow\nindented code"],
    }


def test_quotes_and_folded_parts_are_read_as_text() -> None:
    page = parse_page(
        "## Fix\n> **Note:** ask first.\n\n<details>\n<summary>More</summary>\n\n"
        "* Free \\_one\\_ &amp; two\n\n</details>\n"
    )
    assert page.sections[Section.MITIGATION] == ["Note: ask first.", "Free _one_ & two"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("KubeJobFailed", "KUBE_JOB_FAILED"),
        ("KubeCPUOvercommit", "KUBE_CPU_OVERCOMMIT"),
        ("etcdGRPCRequestsSlow", "ETCD_GRPC_REQUESTS_SLOW"),
        ("Host out of memory", "HOST_OUT_OF_MEMORY"),
        ("Too-Many(>80%)", "TOO_MANY_80"),
        ("404s", "ALERT_404S"),
        ("ÜberlastAlarm", "UBERLAST_ALARM"),
        ("__", None),
        ("数据", None),
    ],
)
def test_codes(name: str, code: str | None) -> None:
    assert code_of(name) == code


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("Disk full on {{ $labels.host }} (a+b)", r"Disk full on .* \(a\+b\)"),
        ("{{ $labels.instance }} is down", None),
        ("{{ $value }}", None),
        ("Instance is critical", None),
        ("{{ if eq $a 1 }}Queue stuck{{ else }}Disk full{{ end }} on {{ $b }}", None),
        ("{{ range $x }}{{ if $y }}a{{ end }}{{ end }}Queue {{ $q }} stuck", "Queue .* stuck"),
        ("Queue {{ $a }} {{ $b }} stuck\nVALUE = {{ $value }}", "Queue .* stuck"),
        ("Queue stuck {{ unclosed", "Queue stuck"),
    ],
)
def test_patterns_of_templates(text: str, pattern: str | None) -> None:
    assert build_pattern(parse_template(text)) == pattern


def test_a_name_of_one_word_gives_no_pattern() -> None:
    assert build_name_pattern("Watchdog") is None
    found = compile_pattern(build_name_pattern("KubeJobFailed") or "")
    assert found.occurs_in("[FIRING] KubeJobFailed (prod)")
    assert not found.occurs_in("MyKubeJobFailedTwice")


@pytest.mark.parametrize(
    ("message", "pattern", "code"),
    [
        ("Connection to 10.0.0.1:5432 refused", r"Connection to [\d.:]+ refused", "CONNECTION_REFUSED"),
        ("user 'bob' is locked out\nat x", "user '[^']*' is locked out", "USER_LOCKED_OUT"),
        ("cannot open /var/lib/a/b.db", r"cannot open", "CANNOT_OPEN"),
        ("order 9f8e7d6c5b4a: payment refused", "order [0-9a-f]+: payment refused", "ORDER_PAYMENT_REFUSED"),
        ("ORA-00942: table missing", "ORA-00942: table missing", "ORA_TABLE_MISSING"),
        ("boom (1+1)", r"^boom \(1\+1\)$", "BOOM"),
        ("12345", None, None),
    ],
)
def test_drafts_from_messages(message: str, pattern: str | None, code: str | None) -> None:
    assert build_message_pattern(message) == pattern
    assert build_message_code(message) == code


@given(st.text(max_size=300))
def test_a_message_is_found_by_its_own_pattern(message: str) -> None:
    pattern = build_message_pattern(message)
    line = message.strip().partition("\n")[0].strip()
    if pattern is not None and line.isprintable() and "  " not in line:
        assert compile_pattern(pattern).occurs_in(line)


@given(st.text(max_size=300))
def test_no_template_breaks_anything(text: str) -> None:
    parts = parse_template("{{ if a }}" + text + "{{ end }}" + text)
    assert format_parts(parts).isprintable()
    pattern = build_pattern(parts)
    if pattern is not None:
        assert not compile_pattern(pattern).occurs_in("")


@pytest.mark.parametrize(
    ("text", "name"), [("Foo Bar!", "foo-bar"), ("3scale", "imported-3scale"), ("", "imported")]
)
def test_component_names(text: str, name: str) -> None:
    assert normalize_component(text) == name


WORDS = st.text(st.sampled_from("aB c{}$.\n#-*`>|0:'\"[]()\u00e9\u2028\ud7ff"), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("alert", "expr", "for", "labels", "annotations")
NOTES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("summary", "description", "runbook_url", "severity"), JSON)
)


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON | NOTES | WORDS)), max_size=4))
def test_whatever_the_rules_say_the_entries_are_good(
    tmp_path_factory: pytest.TempPathFactory, rules: list[Any]
) -> None:
    file = tmp_path_factory.mktemp("any") / "a.yml"
    file.write_text(yaml.safe_dump({"groups": [{"rules": rules}]}), encoding="utf-8")
    _loads(collect_drafts([file], NOTHING), file)


@given(
    st.lists(
        st.sampled_from(
            [
                "# A\n",
                "## Impact\n",
                "### Fix",
                "- a\n",
                "1. b",
                "```\n",
                "text",
                "\n",
                "===\n",
                "---\n",
                "<!--",
                "$ ls\n",
                "  ",
            ]
        )
    )
)
def test_whatever_a_page_says_the_entry_is_good(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[str]
) -> None:
    file = tmp_path_factory.mktemp("any") / "DiskFull.md"
    file.write_text("".join(blocks))
    _loads(collect_drafts([file], NOTHING), file)


def _loads(gathered: CollectedDrafts, file: Path) -> None:
    out = file.with_name("rules.yaml")
    text = RuleFileText.create("any", str(out))
    text = text.add_entries(
        [each.entry for each in gathered.drafts], list(build_tests(gathered.drafts, NOTHING))
    )
    assert len(check_changes({out: text.raw}, []).catalog.entries) == len(gathered.drafts)


def test_tests_go_by_the_message_where_it_is_the_entry_own(tmp_path: Path) -> None:
    gathered = collect_drafts([put(tmp_path, "a.yml", ALERTS)], NOTHING)
    by_message, by_name = build_tests(gathered.drafts, NOTHING)
    assert by_message["given"] == [{"at": "0s", "event": {"message": "Queue too long (instance x)"}}]
    assert by_name["given"] == [{"at": "0s", "event": {"message": "QueueIdle is firing"}}]
    taken = Entry(code="MINE", title="t", category="DATA", severity="INFO", component="mine")
    first, _second = build_tests(gathered.drafts, Catalog([taken], lambda _text: "MINE"))
    assert first["given"] == [{"at": "0s", "event": {"code": "QUEUE_TOO_LONG"}}]


@pytest.mark.skipif(not PUBLIC.is_dir(), reason=f"no evaluation data at {PUBLIC} (FIRSTCAUSE_TEST_DATA)")
def test_all_public_alerts_and_runbooks_import() -> None:
    gathered = collect_drafts([PUBLIC], NOTHING)
    alerts = sum(
        len(group["rules"])
        for file in PUBLIC.rglob("*.yml")
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    )
    pages = [file for file in PUBLIC.rglob("*.md") if file.stem != "_index"]
    merged = sum(draft.page is not None for draft in gathered.drafts)
    assert len(gathered.drafts) == alerts + len(pages) - merged
    assert {Path(each.source).stem for each in gathered.skipped} == {"_index"}
    own = list(build_tests(gathered.drafts, NOTHING))
    assert sum("message" in test["given"][0]["event"] for test in own) >= len(own) - 1
    out = Path("public.yaml")
    text = RuleFileText.create("public", str(out)).add_entries([each.entry for each in gathered.drafts], own)
    assert len(check_changes({out: text.raw}, []).catalog.entries) == len(gathered.drafts)
