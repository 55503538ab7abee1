"""What is taken of an exception, and what becomes of it."""

from __future__ import annotations

import gc
import sys
import traceback
import weakref
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from firstcause.client import event_builder
from firstcause.client.capture import capture_error
from firstcause.client.code_location import find_innermost_in_app, is_in_app, shorten_path
from firstcause.client.db_statement import extract_query
from firstcause.client.exception_info import CLIENT_DIR, CapturedException, CodeLocation, capture_chain
from firstcause.client.settings import Settings

SITE = "/srv/app/.venv/lib/python3.11/site-packages/lib/core.py"


def of(error: BaseException, **given: Any) -> dict[str, Any]:
    return event_builder.build_event(
        capture_error(error, {"id": "1", **given}, None), Settings(service="shop"), "host"
    )


def caught(raises: Any) -> BaseException:
    try:
        raises()
    except BaseException as error:
        return error
    raise AssertionError


def chained() -> None:
    try:
        dict[str, str]()["card"]
    except KeyError as error:
        msg = "gateway refused"
        raise RuntimeError(msg) from error


def test_the_stack_is_what_python_prints() -> None:
    error = caught(chained)
    printed = "".join(traceback.format_exception(error)).strip().splitlines()
    ours = event_builder.format_stack(capture_chain(error)).splitlines()
    # The marks under the line are Python's own.
    assert [line for line in ours if line] == [line for line in printed if line and set(line) - set(" ^~")]


def test_message_causes_and_source() -> None:
    event = of(caught(chained))
    assert event["message"] == "RuntimeError: gateway refused"
    assert event["details"]["exception"] == "RuntimeError"
    assert event["details"]["caused_by"] == ["KeyError: 'card'"]
    assert event["source"]["function"] == "chained"
    assert event["source"]["file"].endswith("test_exception_info.py")


def test_the_callers_own_words_and_code_stay() -> None:
    event = of(caught(chained), code="PAYMENT_FAILED", message="not paid", tenant="acme", severity="critical")
    assert (event["code"], event["message"], event["severity"]) == ("PAYMENT_FAILED", "not paid", "CRITICAL")
    assert (event["tenant"], event["service"]) == ("acme", "shop")


def test_without_a_context_that_is_suppressed() -> None:
    def raises() -> None:
        try:
            dict[str, str]()["card"]
        except KeyError:
            msg = "plain"
            raise ValueError(msg) from None

    assert [each.type_name for each in capture_chain(caught(raises))] == ["ValueError"]


def test_a_group_names_its_members_and_notes_are_kept() -> None:
    inner = ValueError("one")
    inner.add_note("while it was told twice")
    group = ExceptionGroup("several", [inner, OSError("two")])
    assert [(each.type_name, each.link) for each in capture_chain(group)] == [
        ("ExceptionGroup", ""), ("ValueError", "group"), ("OSError", "group"),
    ]  # fmt: skip
    assert "while it was told twice" in event_builder.format_stack(capture_chain(group))


def test_a_chain_in_a_circle_ends() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__context__, second.__context__ = second, first
    assert len(capture_chain(first)) == 2


def test_a_recursion_without_end_is_cut_in_the_middle() -> None:
    def again() -> None:
        again()

    (raised,) = capture_chain(caught(again))
    assert len(raised.frames) == 80
    assert raised.omitted_frames > 500
    assert len(event_builder.format_stack((raised,))) < 10_000


def test_nothing_holds_the_exception_or_its_variables() -> None:
    class Connection:
        pass

    held: list[weakref.ref[Connection]] = []

    def raises() -> None:
        connection = Connection()
        held.append(weakref.ref(connection))
        raise ValueError("gone")

    kept = capture_error(caught(raises), {"id": "1"}, None)
    gc.collect()
    assert kept.exceptions[0].frames
    assert held[0]() is None


def test_an_exception_whose_text_cannot_be_had() -> None:
    class NastyError(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert of(NastyError())["message"] == "NastyError: <NastyError whose __str__ raises ValueError>"


def test_the_query_of_sqlalchemy_comes_without_its_parameters() -> None:
    def raises() -> None:
        engine = sa.create_engine("sqlite://")
        with engine.connect() as conn:
            conn.execute(sa.text("select * from cards where number = :number"), {"number": "4111"})

    event = of(caught(raises))
    assert event["source"]["query"] == "select * from cards where number = ?"
    assert event["message"] == "OperationalError: (sqlite3.OperationalError) no such table: cards"
    assert event["source"]["function"] == "raises"
    assert "4111" not in str(event["message"]) + str(event["details"])


def test_the_command_of_pymongo_comes_without_its_values() -> None:
    errors = pytest.importorskip("pymongo.errors")
    duplicate = errors.DuplicateKeyError(
        "E11000", 11000, {"keyPattern": {"email": 1}, "keyValue": {"email": "a@b"}}
    )
    assert extract_query(duplicate) == "{'email': 1}"
    bulk = errors.BulkWriteError(
        {"writeErrors": [{"op": {"_id": 7, "card": {"number": "4111"}}, "code": 11000}]}
    )
    assert extract_query(bulk) == "{'_id': '?', 'card': {'number': '?'}}"
    failed = errors.OperationFailure(
        "no", 26, {"ok": 0, "command": {"find": "cards", "filter": {"n": "4111"}}}
    )
    assert extract_query(failed) == "{'find': '?', 'filter': {'n': '?'}}"
    assert extract_query(errors.ServerSelectionTimeoutError("nobody there")) is None


def test_others_have_no_query() -> None:
    error = ValueError("x")
    error.details = {"command": {"a": 1}}  # type: ignore[attr-defined]
    assert extract_query(error) is None


@pytest.mark.parametrize(
    ("place", "in_app", "own"),
    [
        (CodeLocation("/srv/app/shop.py", 1, "f", "shop"), (), True),
        (CodeLocation(SITE, 1, "f", "lib.core"), (), False),
        (CodeLocation(SITE, 1, "f", "lib.core"), ("lib",), True),
        (CodeLocation(SITE, 1, "f", "library"), ("lib",), False),
        (CodeLocation("/usr/lib/python3/dist-packages/x.py", 1, "f", "x"), (), False),
        (CodeLocation(traceback.__file__, 1, "f", "traceback"), (), False),
        (CodeLocation("<frozen importlib._bootstrap>", 1, "f", "importlib"), (), False),
        (CodeLocation("<string>", 1, "f", "attrs"), (), False),
        (CodeLocation("<string>", 1, "f", "__main__"), (), True),
        (CodeLocation(f"{CLIENT_DIR}watching.py", 1, "f", "firstcause.client.watch"), (), False),
    ],
)
def test_whose_code_it_is(place: CodeLocation, in_app: tuple[str, ...], own: bool) -> None:
    assert is_in_app(place, in_app) is own


def test_the_innermost_of_the_applications_own_frames() -> None:
    def raises() -> None:
        Path("/nowhere/at/all").read_text()

    (raised,) = capture_chain(caught(raises))
    found = find_innermost_in_app(raised, ())
    assert found is not None
    assert found.function == "raises"
    all_foreign = CapturedException("E", "", raised.frames[-1:], 0, "", None)
    found = find_innermost_in_app(all_foreign, ())
    assert found is not None
    assert found.function == "open"


def test_a_file_is_named_from_where_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/srv", "/srv/app", ""])
    assert shorten_path("/srv/app/shop/pay.py") == "shop/pay.py"
    assert shorten_path("/opt/x.py") == "/opt/x.py"


fields = st.fixed_dictionaries(
    {"id": st.just("1")},
    optional={
        "code": st.text() | st.integers(),
        "message": st.text(),
        "tenant": st.text() | st.integers(),
        "severity": st.text(),
        "details": st.dictionaries(st.text(), st.text()),
        "tags": st.dictionaries(st.text(), st.integers() | st.text()),
    },
)


@given(fields)
def test_whatever_fields_are_given_one_line_of_json_comes_out(given: dict[str, Any]) -> None:
    made = capture_error(None, given, {"tenant": "t", "details": {"a": 1}})
    text = event_builder.render_line(made, Settings(), "host")
    assert text.isascii()
    assert len(text.splitlines()) == 1
    event = event_builder.build_event(made, Settings(), "host")
    assert event.get("code") or event.get("message")
    assert event.get("severity") in {None, *(str(given.get("severity")).strip().upper(),)}


def test_a_recursion_is_printed_as_python_does() -> None:
    def again(left: int) -> None:
        if left:
            again(left - 1)
        raise ValueError

    error = caught(lambda: again(20))
    printed = [
        line for line in "".join(traceback.format_exception(error)).splitlines() if set(line) - set(" ^~")
    ]
    assert event_builder.format_stack(capture_chain(error)).splitlines() == printed
