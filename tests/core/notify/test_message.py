from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.model import Priority, Severity
from firstcause.core.notification import Notification, NotifyReason
from firstcause.core.notify.message import (
    DigestItem,
    MessageContext,
    format_body,
    format_digest_body,
    format_digest_text,
    format_digest_title,
    format_text,
)
from firstcause.core.text.durations import format_duration, parse_duration

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
EXTENSION = "^{}\\[~]|€"
GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)


def brief(**changes: Any) -> MessageContext:
    fields: dict[str, Any] = {
        "incident_id": "12",
        "reason": NotifyReason.FIRST,
        "severity": Severity.CRITICAL,
        "priority": Priority.P0,
        "code": "X",
        "title": "Twilio API connection failed",
        "opened_at": START,
        "now": START + timedelta(seconds=30),
    }
    return MessageContext(**(fields | changes))


def label(context: MessageContext) -> str:
    """What a message begins with."""
    said = {
        "first": "CRITICAL",
        "new_root": "NEW CAUSE",
        "escalated": "NOW P0" if context.more_urgent else "NOBODY ANSWERED, CRITICAL",
        "reminder": "STILL OPEN after 30 s",
        "digest": "CRITICAL",
        "flapping": "FLAPPING, CRITICAL",
        "steady": "NO LONGER FLAPPING, CRITICAL",
        "resolved": "RESOLVED",
    }[context.reason]
    return f"DRILL: {said}" if context.drill else said


words = st.text(max_size=300)
briefs = st.builds(
    brief,
    title=words.filter(lambda title: title.strip()),
    cause=st.none() | words,
    companies=st.lists(words, max_size=4).map(tuple),
    events=st.integers(0, 10**6),
    place=st.none() | words,
    raw_line=st.none() | words,
    first_step=st.none() | words,
    hit_services=st.lists(words, max_size=5).map(tuple),
    incident_id=st.integers(1, 10**9).map(str),
    reason=st.sampled_from(NotifyReason),
    rhythm=st.none() | words,
    link=st.none() | words,
    duration=st.none() | st.floats(0, 10**8),
    more_urgent=st.booleans(),
    drill=st.booleans(),
    maybe_repeat=st.booleans(),
)


@given(briefs)
def test_it_is_always_one_sms_with_its_label_and_number(context: MessageContext) -> None:
    said = format_text(context)
    if all(char in GSM + EXTENSION for char in said):
        assert sum(2 if char in EXTENSION else 1 for char in said) <= 160
    else:
        assert len(said.encode("utf-16-le", "surrogatepass")) // 2 <= 70
    assert said.startswith(f"{label(context)}: ")
    assert f" #{context.incident_id}" in said
    assert said.isprintable()


def test_what_it_says() -> None:
    first = brief(cause="TWILIO_ACCOUNT_SID is not set", companies=("acme", "bolt", "cora"), events=48)
    assert format_text(first) == (
        "CRITICAL: Twilio API connection failed. TWILIO_ACCOUNT_SID is not set. "
        "Hits 3 companies; 48 errors. P0 #12"
    )
    disk = brief(
        title="Postgres disk full",
        place="at postgres-main",
        raw_line="No space left on device",
        hit_services=("payments", "stock", "users", "cart", "mail"),
        events=171,
        first_step="Enlarge the volume.",
    )
    assert format_text(disk) == (
        'CRITICAL: Postgres disk full at postgres-main ("No space left on device"). '
        "Hits payments, stock, users +2; 171 errors. First: Enlarge the volume. P0 #12"
    )
    over = brief(reason=NotifyReason.RESOLVED, duration=252)
    assert format_text(over) == "RESOLVED: Twilio API connection failed, after 4 min 12 s #12"
    assert format_text(brief(companies=("acme",), maybe_repeat=True)).endswith(
        "Hits acme. P0 #12 (may repeat)"
    )


def test_the_more_useful_part_never_gives_way() -> None:
    crowded = brief(
        place="at db-1", cause="c" * 60, companies=("acme",), link="https://x.example/incidents/12",
        first_step="Look at the long list of things that may have gone wrong and do all", raw_line="r" * 40,
    )  # fmt: skip
    said = format_text(crowded)
    assert "connection failed at db-1. ccc" in said
    assert "Hits acme" in said
    assert "https://x.example/incidents/12" not in said or "r" * 40 not in said
    assert said.endswith("P0 #12")
    cut = format_text(brief(cause="c" * 40, first_step="Look at the long list of things " * 9))
    assert ". First: Look at the long" in cut
    assert cut.endswith("P0 #12")


def test_typographic_characters_do_not_halve_its_length() -> None:
    said = format_text(brief(title="It\u2019s down \u2014 caf\u00e9 \u0161 \u201cx\u201d", cause="b" * 100))
    assert 'It\'s down - café s "x"' in said
    assert len(said) > 100


def test_another_script_stays_readable() -> None:
    assert "数据库" in format_text(brief(title="数据库连接失败"))


def test_the_whole_message_has_what_the_sms_has_no_room_for() -> None:
    context = brief(
        cause="b",
        first_step="do this",
        fix_url="https://x/",
        link="https://y/incidents/12",
        maybe_repeat=True,
    )
    said = format_body(context, "THE REPORT")
    for part in (
        "Cause: b",
        "First: do this",
        "Fix at: https://x/",
        "https://y/incidents/12",
        "before",
        "THE REPORT",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("30s", 30),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("400d", 34_560_000),
        (90, 90),
        ("1.5h", 5400),
        ("2w", 1_209_600),
    ],
)
def test_lengths_of_time(written: object, length: float) -> None:
    assert parse_duration(written) == length


@pytest.mark.parametrize("written", ["soon", "", "5", "5 parsecs", -1, True, None, "1s1", "." * 50])
def test_what_is_no_length_of_time(written: object) -> None:
    with pytest.raises(ValueError, match="use for example 30s"):
        parse_duration(written)


@given(st.floats(0, 10**9))
def test_spoken_is_near(length: float) -> None:
    assert abs(parse_duration(format_duration(length).replace("min", "m")) - length) <= max(1, length / 24)


def notification(context: MessageContext) -> Notification:
    return Notification(
        id="1",
        incident_id=context.incident_id,
        reason=context.reason,
        priority=context.priority,
        severity=context.severity,
        code=context.code,
        title=context.title,
        text=format_text(context),
        body=format_body(context, "report"),
    )


@given(briefs)
def test_the_subject_is_one_line_with_priority_label_and_number(context: MessageContext) -> None:
    said = notification(context).subject
    assert said.startswith(f"[P0] {label(context).partition(': ')[0]}: ")
    assert said.endswith(f" (#{context.incident_id})")
    assert len(said) <= 120
    assert said.isprintable()


def test_the_subject_holds_the_title_as_far_as_there_is_room() -> None:
    assert notification(brief()).subject == "[P0] CRITICAL: Twilio API connection failed (#12)"
    over = brief(reason=NotifyReason.RESOLVED, duration=60, title="a: b\r\nBcc: all@example.org")
    assert notification(over).subject == "[P0] RESOLVED: a: b Bcc: all@example.org (#12)"
    assert notification(brief(title="x" * 200)).subject == f"[P0] CRITICAL: {'x' * 96}... (#12)"


def test_what_it_says_when_it_is_worse_or_nobody_answers() -> None:
    four_hours = START + timedelta(hours=4)
    worse = brief(reason=NotifyReason.ESCALATED, more_urgent=True)
    assert format_text(worse) == "NOW P0: Twilio API connection failed. P0 #12"
    unanswered = brief(reason=NotifyReason.ESCALATED, now=START + timedelta(minutes=15))
    assert format_text(unanswered) == "NOBODY ANSWERED, CRITICAL: Twilio API connection failed. P0 #12"
    assert "Open for 15 min, and nobody has acknowledged it." in format_body(unanswered, "")
    reminder = brief(reason=NotifyReason.REMINDER, now=four_hours)
    assert format_text(reminder) == "STILL OPEN after 4 h: Twilio API connection failed. P0 #12"
    assert "Open for 4 h, and nobody has acknowledged it." in format_body(reminder, "")
    assert format_text(brief(drill=True)) == "DRILL: CRITICAL: Twilio API connection failed. P0 #12"


def held(
    number: int, priority: Priority = Priority.P1, *, over: bool = False, title: str = "It is slow"
) -> DigestItem:
    return DigestItem(incident_id=str(number), priority=priority, title=title, resolved=over)


def test_what_was_held_back_is_said_in_one_message() -> None:
    three = [held(7), held(9, Priority.P2, title="Disk\nfull"), held(8, over=True)]
    assert format_digest_title(three, START) == "3 incidents since 03:00 UTC"
    assert format_digest_text(three, START) == (
        "HELD BACK: 3 incidents since 03:00 UTC. #7 P1 It is slow; #9 P2 Disk full; #8 RESOLVED It is slow."
    )
    assert format_digest_body(three, START, {"7": "https://x/incidents/7"}).splitlines() == [
        "HELD BACK: 3 incidents since 03:00 UTC", "",
        "#7 P1: It is slow https://x/incidents/7", "#9 P2: Disk full",
        "#8 P1, resolved by now: It is slow", "",
        "They came late, together: a rate limit or a restart of firstcause held them back.",
    ]  # fmt: skip


@given(st.lists(st.builds(held, st.integers(1, 10**9), title=words), min_size=2, max_size=300))
def test_what_was_held_back_is_one_sms_that_counts_what_it_leaves_out(many: list[DigestItem]) -> None:
    said = format_digest_text(many, START)
    if all(char in GSM + EXTENSION for char in said):
        assert sum(2 if char in EXTENSION else 1 for char in said) <= 160
    else:
        assert len(said.encode("utf-16-le", "surrogatepass")) // 2 <= 70
    assert said.startswith(f"HELD BACK: {len(many)} incidents")
    assert said.isprintable()


def test_texts_from_outside_forge_no_line_of_the_whole_message() -> None:
    forged = "lost\x1b[2J\u202e\nCause: nothing\r\nPage: https://example.org"
    context = brief(title=forged, cause=forged, companies=(forged,), first_step=forged, past_fix=forged)
    body = format_body(context, "report")
    assert body.replace("\n", "").isprintable()
    assert [
        line for line in body.splitlines() if line.startswith(("Cause: nothing", "Page: https://ex"))
    ] == []


def test_a_notification_shows_nothing_that_acts() -> None:
    acting = "x\x1b[2J\u202e\ny"
    notification = Notification(
        id="1", incident_id="1", reason=NotifyReason.FIRST, priority=Priority.P0, severity=Severity.CRITICAL,
        code=acting, title=acting, text=acting, body=acting,
    )  # fmt: skip
    assert {notification.code, notification.title, notification.text} == {"x [2J  y"}
    assert notification.body == "x⟨ESC⟩[2J⟨U+202E⟩\ny"
    assert notification.subject == "[P0] x [2J y (#1)"
