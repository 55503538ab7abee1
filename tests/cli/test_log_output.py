"""The log: nothing from outside forges a line, and a store that is away does not fill it."""

from __future__ import annotations

import io
import json
import logging
from datetime import datetime, timedelta

import pytest

from firstcause.cli.log_output import REPEAT_INTERVAL_S, JsonLogFormatter, LogFormatter, StoreErrorFilter
from firstcause.errors import StoreError, StoreUnavailableError


def make_record(text: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, None) if error is not None else None
    return logging.LogRecord("firstcause", logging.ERROR, __file__, 1, text, args, info)


def test_a_text_forges_no_line_and_no_colour() -> None:
    forged = "x\x1b[2J\r\n2026-03-01 12:00:00,000 ERROR firstcause: all is lost\u202e\x9b"
    shown = LogFormatter().format(make_record("incident %s", forged))
    first, second = shown.split("\n")
    assert first.endswith("ERROR firstcause: incident x⟨ESC⟩[2J")
    assert second == "    2026-03-01 12:00:00,000 ERROR firstcause: all is lost⟨U+202E⟩⟨U+009B⟩"


def test_an_error_with_its_traceback_forges_no_line_either() -> None:
    record = make_record("failed", error=ValueError("x\x1b[2J\n2026-03-01 ERROR forged\u2028again\x85next"))
    lines = LogFormatter().format(record).split("\n")
    assert len(lines) == 3
    assert all(line.startswith("    ") for line in lines[1:])
    assert "".join(lines).isprintable()


def test_json_is_one_object_a_line_with_its_zone_and_its_error() -> None:
    record = make_record("failed: %s", "one\ntwo\u202e", error=ValueError("x\x1b[2J"))
    line = JsonLogFormatter().format(record)
    assert line.isprintable()
    fields = json.loads(line)
    assert (fields["level"], fields["logger"], fields["message"]) == (
        "error",
        "firstcause",
        "failed: one\ntwo\u202e",
    )
    assert datetime.fromisoformat(fields["time"]).utcoffset() == timedelta(0)
    assert fields["error"].endswith("ValueError: x\x1b[2J")


def test_a_line_of_text_has_its_zone() -> None:
    at = LogFormatter().format(make_record("failed")).split()[0]
    assert datetime.fromisoformat(at).tzinfo is not None


def test_a_store_that_is_away_is_logged_once_a_minute_with_a_count() -> None:
    now = [0.0]
    chosen = StoreErrorFilter(lambda: now[0])
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(chosen)

    def log_errors(count: int) -> list[str]:
        stream.truncate(stream.seek(0))
        for number in range(count):
            # Each loop and each request fails with a text of its own.
            handler.handle(make_record("%s: %s", f"loop {number}", StoreUnavailableError(f"away {number}")))
        return stream.getvalue().splitlines()

    assert log_errors(10) == ["loop 0: away 0"]
    now[0] = REPEAT_INTERVAL_S - 1
    assert log_errors(5) == []
    now[0] = REPEAT_INTERVAL_S
    assert log_errors(3) == ["loop 0: away 0 (14 more were not logged)"]
    now[0] = 3 * REPEAT_INTERVAL_S
    assert log_errors(1) == ["loop 0: away 0 (2 more were not logged)"]
    now[0] = 5 * REPEAT_INTERVAL_S
    assert log_errors(1) == ["loop 0: away 0"]


def test_other_records_are_all_logged() -> None:
    chosen = StoreErrorFilter(lambda: 0.0)
    assert chosen.filter(make_record("incident %s", "1"))
    assert chosen.filter(make_record("incident %s", "1"))
    assert chosen.filter(make_record("failed", error=ValueError("x")))
    for text in ("another daemon runs", "constraint failed"):
        assert chosen.filter(make_record("%s", StoreError(text)))
        assert not chosen.filter(make_record("triage: %s", StoreError(text)))
    assert chosen.filter(make_record("failed", error=StoreUnavailableError("away")))
    assert not chosen.filter(make_record("failed", error=StoreUnavailableError("gone")))


def test_errors_with_ever_new_texts_are_forgotten() -> None:
    now = [0.0]
    chosen = StoreErrorFilter(lambda: now[0])
    for number in range(50):
        now[0] += REPEAT_INTERVAL_S
        for _ in range(2):
            chosen.filter(make_record("%s", StoreError(f"error {number}")))
    assert len(chosen._passed_at) <= 1
    assert len(chosen._held_back) <= 1


@pytest.mark.parametrize("args", [(), ({"error": StoreUnavailableError("away")},)])
def test_records_of_any_form_are_read(args: tuple[object, ...]) -> None:
    assert StoreErrorFilter(lambda: 0.0).filter(make_record("store", *args))
