from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.catalog import Catalog, Entry
from firstcause.core.incidents.debug_report import DebugReport, as_markdown, as_text, build_debug_report
from firstcause.core.model import (
    Alert,
    Flapping,
    Impact,
    Incident,
    Priority,
    Role,
    Root,
    Sample,
    Severity,
    Source,
)

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
ENTRY = Entry.model_validate(
    {
        "component": "x", "code": "ROOT", "title": "Root", "category": "DATA", "severity": "CRITICAL",
        "fix": {
            "url": "https://fix", "ui_url": "https://ui", "config_file": ".env", "env_vars": ["V"],
            "steps": ["do"],
        },
        "reproduce": ["see"], "verify": {"steps": ["look"], "probe": "p"}, "docs": "https://docs",
        "common_causes": ["because"], "related": ["OTHER"],
    }
)  # fmt: skip


def alert(number: int, role: Role = Role.ROOT, **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "fingerprint": f"f{number}", "fault": "x", "code": "ROOT", "catalogued": True, "title": "Root",
        "severity": Severity.CRITICAL, "first_seen": START + timedelta(seconds=number), "last_seen": START,
        "count": 2, "role": role, "stored_id": number,
    }  # fmt: skip
    return Alert(**(fields | changes))


def report(*members: Alert, entry: Entry | None = ENTRY, **changes: Any) -> DebugReport:
    fields: dict[str, Any] = {
        "fault": "x", "root": Root(code="ROOT"), "title": "Root", "priority": Priority.P0,
        "severity": Severity.CRITICAL, "impact": Impact(companies=("acme",)),
        "opened_at": START, "stored_id": 1,
    }  # fmt: skip
    catalog = Catalog([entry] if entry else [])
    return build_debug_report(Incident(**(fields | changes)), members, catalog, START + timedelta(minutes=5))


def sample(file: str) -> Sample:
    return Sample(source=Source(file=file, line=7, function="f", query="q"))


def test_the_place_is_the_roots_own_else_that_of_the_first_cascade_that_names_one() -> None:
    cascade = alert(2, Role.CASCADE, code="A", sample=sample("a.js"))
    later = alert(3, Role.CASCADE, code="B", sample=sample("b.js"))
    bare = report(alert(9), later, cascade).error_source
    assert bare is not None
    assert (bare.file, bare.code) == ("a.js", "A")
    own = report(alert(9, sample=sample("root.js")), cascade).error_source
    assert own is not None
    assert (own.file, own.code) == ("root.js", "ROOT")
    assert report(alert(9)).error_source is None


def test_cascades_of_one_code_are_one_line() -> None:
    cascades = [
        alert(n, Role.CASCADE, code="A", tenant=f"t{n}", caused_by="f9", service="s") for n in range(8)
    ]
    built = report(alert(9), *cascades)
    (failure,) = built.dependencies.cascade_failures
    assert (failure.count, len(failure.companies), failure.caused_by) == (16, 8, "ROOT")
    assert "A x 16 in t0, t1, t2, t3, t4 and 3 more: Root" in as_text(built)


def test_every_part_of_the_entry_is_in() -> None:
    for shown in (as_text(report(alert(1))), as_markdown(report(alert(1)))):
        for part in (
            "https://fix",
            "https://ui",
            "V in .env",
            "do",
            "see",
            "look",
            "probe p",
            "https://docs",
            "because",
        ):
            assert part in shown
        assert "OTHER" in shown


def test_required_environment_variables_have_a_heading_of_their_own() -> None:
    known, unknown = as_text(report(alert(1))), as_text(report(alert(1), entry=None))
    assert "\nREQUIRED ENVIRONMENT VARIABLES\n  - V in .env\n" in known
    assert "\nREQUIRED ENVIRONMENT VARIABLES\n  - none known\n" in unknown
    assert "\n## Required environment variables\n\n- V in .env\n" in as_markdown(report(alert(1)))


def test_cascades_name_the_codes_that_resolve_with_the_root() -> None:
    text = as_text(report(alert(9), alert(1, Role.CASCADE, code="A"), alert(2, Role.CASCADE, code="B")))
    assert re.search(r"Resolves with the root cause +A, B\n", text)


def test_an_error_nobody_described_says_what_to_do_about_that() -> None:
    assert "This error is not in the catalog." in as_text(report(alert(1), entry=None))


def test_that_it_flaps_is_in_its_first_lines() -> None:
    flapping = Flapping(
        since=START, times=12, last_onset=START + timedelta(seconds=1100), period_s=100, on_s=50
    )
    rhythm = "12 times in 18 min 20 s, about every 100 s, on for 50 s"
    assert f", flapping: {rhythm}" in as_text(report(alert(1), flapping=flapping)).splitlines()[1]
    over = report(alert(1), flapping=flapping, resolved_at=START + timedelta(seconds=2000))
    assert f", flapped {rhythm}" in as_markdown(over).splitlines()[2]


def test_it_comes_back_from_json() -> None:
    built = report(alert(1), alert(2, Role.CASCADE, sample=sample("x")))
    assert DebugReport.model_validate_json(built.model_dump_json()) == built


hostile = st.text(alphabet=st.sampled_from("<>[]()!`*_#|~\\-+. \n\r\t\x00\x1b\u202e@ab1")) | st.text()


@given(hostile, hostile, st.dictionaries(hostile, hostile, max_size=3))
def test_nothing_that_senders_wrote_can_drive_a_terminal_or_a_ticket(
    title: str, said: str, details: dict[str, str]
) -> None:
    whole = Sample(message=said, details=details, stack=said, source=Source(file=said))
    built = report(alert(1, sample=whole), title=title or "x")
    text, markdown = as_text(built), as_markdown(built)
    assert all(char == "\n" or char.isprintable() for char in text + markdown)
    plain = report(alert(1, sample=Sample(message="m", details=dict.fromkeys(details, "d"), stack="s")))
    assert headings(markdown) <= headings(as_markdown(plain)) + 1
    outside_code = [line for line in markdown.splitlines() if not line.startswith("    ")]
    for line in outside_code[1:]:
        assert not re.search(r"(?<!\\)(?:\\\\)*[<\[]", line), "a tag or a link"


def headings(markdown: str) -> int:
    return sum(line.startswith("#") for line in markdown.splitlines())
