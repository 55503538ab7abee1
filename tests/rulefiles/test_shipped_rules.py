"""The rules that come with firstcause: clean, complete, and robust against every kind of damage."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from firstcause.errors import RuleFileError
from firstcause.resources import shipped_path
from firstcause.rulefiles.load import RuleBook, find_rule_files, load

CODES = {
    "TWILIO_API_FAILURE",
    "SMS_DELIVERY_FAILURE",
    "TWILIO_GREETING_FAILURE",
    "AI_AGENT_INIT_FAILURE",
    "DB_CONNECTION_ERROR",
    "DB_QUERY_SLOW",
    "REDIS_CONNECTION_ERROR",
    "REDIS_SLOW",
    "NOTIFICATION_SYSTEM_FAILURE",
    "PLATFORM_HEALTH_CHECK_CRITICAL",
    "COMPANY_DATABASE_EMPTY",
    "SYSTEM_REGRESSION_DETECTED",
}
FILES = find_rule_files(shipped_path("rules"))
MESSAGES = [
    ("[Twilio] RestException [Error]: Authenticate status: 401 code: 20003", "TWILIO_API_FAILURE"),
    ("getaddrinfo ENOTFOUND api.twilio.com", "TWILIO_API_FAILURE"),
    ("Error: accountSid must start with AC", "TWILIO_API_FAILURE"),
    ("The 'To' number +1555 is not a valid phone number.", "TWILIO_INVALID_TO_NUMBER"),
    ("Attempt to send to unsubscribed recipient", "TWILIO_RECIPIENT_OPTED_OUT"),
    ("SMS delivery failed for +1555", "SMS_DELIVERY_FAILURE"),
    ("Failed to generate audio for greeting", "TWILIO_GREETING_FAILURE"),
    ("Got HTTP 502 response to https://app.example.com/voice", "TWILIO_GREETING_FAILURE"),
    ("Failed to initialize AI agent for company 42", "AI_AGENT_INIT_FAILURE"),
    ("ElevenLabs: 401 invalid_api_key", "ELEVENLABS_AUTH_FAILED"),
    ("MongooseServerSelectionError: connect ECONNREFUSED 10.0.0.4:27017", "DB_CONNECTION_ERROR"),
    ("Operation `companies.find()` buffering timed out after 10000ms", "DB_CONNECTION_ERROR"),
    ("MongoServerError: bad auth : Authentication failed.", "MONGODB_AUTH_FAILED"),
    ("querySrv ENOTFOUND _mongodb._tcp.cluster0.example.net", "DB_CONNECTION_ERROR"),
    ("MongoServerError: operation exceeded time limit", "DB_QUERY_SLOW"),
    ("Timed out while checking out a connection from connection pool", "DB_QUERY_SLOW"),
    ("[ioredis] Unhandled error event: Error: connect ECONNREFUSED 127.0.0.1:6379", "REDIS_CONNECTION_ERROR"),
    ("ReplyError: WRONGPASS invalid username-password pair or user is disabled.", "REDIS_AUTH_FAILED"),
    ("Error: Command timed out", "REDIS_SLOW"),
    ("OOM command not allowed when used memory > 'maxmemory'.", "REDIS_OUT_OF_MEMORY"),
    ("READONLY You can't write against a read only replica.", "REDIS_READONLY_REPLICA"),
    ("ReplyError: ERR max number of clients reached", "REDIS_MAX_CLIENTS"),
    ("MISCONF Errors writing to the AOF file: No space left on device", "REDIS_PERSISTENCE_FAILED"),
    ("ReplyError: MOVED 12182 10.0.0.7:6379", "REDIS_CLUSTER_ERROR"),
    ("LOADING Redis is loading the dataset in memory", "REDIS_CONNECTION_ERROR"),
    ("FATAL:  sorry, too many clients already", "POSTGRES_TOO_MANY_CONNECTIONS"),
    ("error: canceling statement due to statement timeout", "POSTGRES_SLOW"),
    ("MongoServerError: not primary", "MONGODB_NOT_PRIMARY"),
    ("Error: ENOSPC: no space left on device, write", "HOST_DISK_FULL"),
    ("Back-off restarting failed container app in pod api-0", "K8S_CRASH_LOOP"),
    ("Failed to send admin notification", "NOTIFICATION_SYSTEM_FAILURE"),
    ("Platform health check is CRITICAL: 3 of 7 failed", "PLATFORM_HEALTH_CHECK_CRITICAL"),
    ("No companies found in database", "COMPANY_DATABASE_EMPTY"),
    ("System regression detected in mongodb", "SYSTEM_REGRESSION_DETECTED"),
    ("TypeError: Cannot read properties of undefined (reading 'id')", None),
    ("connect ECONNREFUSED 10.0.0.9:443", None),
]


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load([shipped_path("rules")])


def empty_fields(value: BaseModel, path: str = "") -> list[str]:
    """Every field of the model that says nothing, by its dotted name."""
    found: list[str] = []
    for name in type(value).model_fields:
        inner = getattr(value, name)
        if isinstance(inner, BaseModel):
            found += empty_fields(inner, f"{path}{name}.")
        elif inner is None or inner in ((), "", "NONE"):
            found.append(f"{path}{name}")
    return found


def test_all_codes_are_there(book: RuleBook) -> None:
    assert set(book.catalog.entries) >= CODES


def test_every_field_of_every_entry_is_filled(book: RuleBook) -> None:
    # A drill is no error, and what is predicted or of too many kinds can be anything: there is little to say.
    general = {"FIRSTCAUSE_DRILL", "OTHER_ERRORS", "PREDICTED_FAILURE"}
    entries = {code: entry for code, entry in book.catalog.entries.items() if code not in general}
    # firstcause reports itself by its codes: there is no text to match, no vendor's page and no customer.
    watched = {code: entry for code, entry in entries.items() if not code.startswith("FIRSTCAUSE_")}
    empty = {code: fields for code, entry in watched.items() if (fields := empty_fields(entry))}
    # Where a fix is made is known to a site only, unless the vendor has one console for all.
    links = {"fix.url", "fix.ui_url"}
    empty = {code: rest for code, fields in empty.items() if (rest := [f for f in fields if f not in links])}
    # A graph without circles ends somewhere: the regression sums up what others caused.
    assert empty == {"SYSTEM_REGRESSION_DETECTED": ["causes"]}
    for entry in entries.values():
        assert len(entry.fix.steps) >= 3
        assert len(entry.common_causes) >= 3


def test_causes_go_over_several_hops(book: RuleBook) -> None:
    def effects(code: str) -> set[str]:
        direct = set(book.catalog.entries[code].causes)
        return direct.union(*(effects(one) for one in direct))

    assert {"SMS_DELIVERY_FAILURE", "TWILIO_GREETING_FAILURE", "NOTIFICATION_SYSTEM_FAILURE"} <= effects(
        "TWILIO_API_FAILURE"
    )
    assert "TWILIO_GREETING_FAILURE" in effects("DB_CONNECTION_ERROR")
    assert "TWILIO_GREETING_FAILURE" not in book.catalog.entries["DB_CONNECTION_ERROR"].causes


@pytest.mark.parametrize(("message", "code"), MESSAGES)
def test_real_messages_find_their_own_entry(book: RuleBook, message: str, code: str | None) -> None:
    entry = book.catalog.match_message(message)
    assert (entry and entry.code) == code


def test_every_entry_has_a_test_beside_it(book: RuleBook) -> None:
    for file in FILES:
        named = f"rules/{file.relative_to(shipped_path('rules')).as_posix()}"
        assert any(test.file == named for test in book.tests), named
    spoken = {
        code for test in book.tests for code in (test.test.expect.root, *(test.test.expect.cascades or ()))
    }
    assert spoken >= set(book.catalog.entries)


def test_rules_are_placed_where_they_stand(book: RuleBook) -> None:
    for placed in book.rules:
        line = (shipped_path("rules").parent / placed.file).read_text().splitlines()[placed.line - 1]
        assert line.strip() == f"- id: {placed.rule.id}"


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(file=st.sampled_from(FILES), draw=st.data())
def test_a_damaged_file_gives_a_book_or_its_mistakes(file: Path, draw: st.DataObject) -> None:
    raw = bytearray(file.read_bytes())
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(raw)))
        cut = draw.draw(st.integers(0, 30))
        raw[at : at + cut] = draw.draw(
            st.binary(max_size=6)
            | st.sampled_from([b"\n", b"\t", b": ", b"- ", b"[", b"}", b"'", b"*a", b"null", b"9"])
        )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.yaml").write_bytes(raw)
        try:
            outcome: object = load([Path(folder)])
        except RuleFileError as error:
            outcome = error.mistakes
    assert outcome
