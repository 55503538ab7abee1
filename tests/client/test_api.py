"""report(), watch() and context(): what the application says, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import firstcause
from firstcause.client.api import client
from support.firstcause_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.faulty_daemon import FaultyDaemon


def took(server: FaultyDaemon) -> list[dict[str, Any]]:
    assert firstcause.flush(20)
    return server.accepted


def fails(words: str = "no money") -> None:
    raise ValueError(words)


def test_a_code_a_message_or_an_exception(reporting: FaultyDaemon) -> None:
    identity = firstcause.report("PAYMENT_FAILED")
    firstcause.report("the printer is on fire")
    firstcause.report("PAYMENT_FAILED", "declined", tenant="acme", severity="critical", tags={"shop": 3})
    firstcause.report("what", code="PRINTER_ON_FIRE", id="mine", resolved=True)
    try:
        fails()
    except ValueError as error:
        firstcause.report(error)
    first, words, full, over, error_event = took(reporting)
    assert (first["id"], first["code"], first.get("message")) == (identity, "PAYMENT_FAILED", None)
    assert first["source"]["function"] == "test_a_code_a_message_or_an_exception"
    assert (words.get("code"), words["message"]) == (None, "the printer is on fire")
    assert (full["message"], full["tenant"], full["severity"]) == ("declined", "acme", "CRITICAL")
    assert full["tags"] == {"shop": "3"}
    assert (over["id"], over["code"], over["message"], over["resolved"]) == (
        "mine", "PRINTER_ON_FIRE", "what", True,
    )  # fmt: skip
    assert error_event["message"] == "ValueError: no money"
    assert error_event["source"]["function"] == "fails"


def test_within_an_except_the_exception_goes_along(reporting: FaultyDaemon) -> None:
    try:
        fails()
    except ValueError:
        firstcause.report("PAYMENT_FAILED")
    (event,) = took(reporting)
    assert (event["code"], event["message"]) == ("PAYMENT_FAILED", "ValueError: no money")
    assert event["stack"].endswith("ValueError: no money")


def test_an_exception_that_is_passed_on_is_reported_once(reporting: FaultyDaemon) -> None:
    with suppress(ValueError), firstcause.watch(), firstcause.watch():
        fails()
    with suppress(ValueError), firstcause.watch("CHECKOUT_FAILED"), firstcause.watch("PAYMENT_FAILED"):
        fails()
    assert [event.get("code") for event in took(reporting)] == [None, "PAYMENT_FAILED", "CHECKOUT_FAILED"]


def test_watch_reports_and_lets_it_go_on(reporting: FaultyDaemon) -> None:
    with pytest.raises(ValueError, match="no money"), firstcause.watch("PAYMENT_FAILED", tenant="acme"):
        fails()
    with firstcause.watch("PAYMENT_FAILED"):
        pass
    (event,) = took(reporting)
    assert (event["code"], event["tenant"], event["source"]["function"]) == (
        "PAYMENT_FAILED",
        "acme",
        "fails",
    )


@firstcause.watch("FUNCTION")
def function(value: int) -> int:
    """Says twice as much."""
    if not value:
        fails()
    return 2 * value


@firstcause.watch("COROUTINE")
async def coroutine(value: int) -> int:
    await asyncio.sleep(0)
    return function(value)


@firstcause.watch("GENERATOR")
def generator(values: list[int]) -> Iterator[int]:
    for value in values:
        yield 1 // value


def test_watch_as_a_decorator(reporting: FaultyDaemon) -> None:
    assert (function(2), function.__doc__) == (4, "Says twice as much.")
    assert asyncio.run(coroutine(2)) == 4
    with pytest.raises(ValueError, match="no money"):
        asyncio.run(coroutine(0))
    with pytest.raises(ZeroDivisionError):
        list(generator([1, 0]))
    assert [event["code"] for event in took(reporting)] == ["FUNCTION", "COROUTINE", "GENERATOR"]
    assert reporting.accepted[2]["source"]["function"] == "generator"

    async def asynchronous() -> None:
        async with firstcause.watch("BLOCK"):
            fails()

    with pytest.raises(ValueError, match="no money"):
        asyncio.run(asynchronous())
    assert took(reporting)[-1]["code"] == "BLOCK"


def test_what_watch_cannot_decorate_it_says_so() -> None:
    async def several() -> Any:
        yield 1

    with pytest.raises(TypeError, match="write `with watch"):
        firstcause.watch("A")(several)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_what_is_no_error_is_not_reported(reporting: FaultyDaemon, kind: type[BaseException]) -> None:
    with suppress(kind), firstcause.watch("A"):
        raise kind
    assert took(reporting) == []


def test_a_context_holds_within_its_block_and_task(reporting: FaultyDaemon) -> None:
    async def request(tenant: str) -> None:
        with firstcause.context(tenant=tenant, details={"request": tenant}, tags={"a": "1"}):
            await asyncio.sleep(0.01)
            with firstcause.context(service="inner", details={"step": 2}):
                firstcause.report("A", details={"own": 3})
            firstcause.report("B", tenant="its own")

    async def both() -> None:
        await asyncio.gather(request("acme"), request("globex"))

    asyncio.run(both())
    firstcause.report("C")
    events = took(reporting)
    inner = sorted((e for e in events if e["code"] == "A"), key=lambda e: e["tenant"])
    assert [e["tenant"] for e in inner] == ["acme", "globex"]
    assert {e["service"] for e in inner} == {"inner"}
    details = {name: value for name, value in inner[0]["details"].items() if name != "server_name"}
    assert details == {"request": "acme", "step": 2, "own": 3}
    assert {e["tenant"] for e in events if e["code"] == "B"} == {"its own"}
    assert next(e for e in events if e["code"] == "C").get("tenant") is None


def test_what_is_given_wrongly_is_reported_all_the_same(reporting: FaultyDaemon) -> None:
    class Nasty:
        def __bool__(self) -> bool:
            raise RuntimeError

        def __str__(self) -> str:
            firstcause.report("WITHIN")
            raise RuntimeError

    wrong: Any = Nasty()
    firstcause.report()
    firstcause.report("A", severity="horrible", tenant="x" * 500, details="text", tags={"a": wrong})  # type: ignore[arg-type]
    firstcause.report("B", message=wrong, tenant=wrong)
    firstcause.report("C", details=wrong)
    first, second, third, *_ = took(reporting)
    assert first["message"] == "an error without code and message was reported"
    assert second["details"]["severity"] == "HORRIBLE"
    assert len(second["tenant"]) == 200
    assert third["code"] == "B"
    assert [event.get("code") for event in reporting.accepted][:3] == [None, "A", "B"]
    assert client().losses.total["could not be taken"] == 1
    assert client().losses.total["reported while another was"] > 1
    wait_until(lambda: "ERRORS_NOT_REPORTED" in reporting.codes, "the loss to be told")


def test_what_is_changed_afterwards_was_reported_as_it_was(reporting: FaultyDaemon) -> None:
    particulars = {"items": [1, 2]}
    firstcause.report("A", details=particulars)
    particulars["items"].append(3)
    assert took(reporting)[0]["details"]["items"] == [1, 2]


def test_a_wrong_url_is_said_at_once_and_in_the_environment_never_breaks_the_application(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for wrong in ("127.0.0.1:8377", "ftp://x", "http://", "http://[::1", "http://h:99999", "http://u:pw@"):
        with pytest.raises(ValueError, match="must be like http://127") as told:
            firstcause.configure(wrong)
        assert "pw" not in str(told.value)
    with pytest.raises(ValueError, match="queue_size is -1; give a number that is not negative"):
        firstcause.configure("http://127.0.0.1:9", queue_size=-1)
    monkeypatch.setenv("FIRSTCAUSE_URL", "nonsense")
    assert firstcause.report("A") is None
    assert "no errors are reported: FIRSTCAUSE_URL: the url of the daemon must be like" in caplog.text


def test_an_event_soon_after_quiet_comes_too(reporting: FaultyDaemon) -> None:
    firstcause.report("A")
    assert firstcause.flush(10)
    time.sleep(2.5)
    firstcause.report("B")
    wait_until(lambda: reporting.codes == ["A", "B"], "the second, without flush")
