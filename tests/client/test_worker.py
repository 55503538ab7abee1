"""Over real sockets, to a daemon that is slow, refuses, breaks off or is not there."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

import firstcause
from firstcause.client.capture import CapturedError
from firstcause.client.client import Client
from firstcause.client.settings import resolve_settings
from support.faulty_daemon import FaultyDaemon, ScriptedResponse
from support.firstcause_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(url: str, **given: Any) -> Client:
        clients.append(Client(resolve_settings(url=url, **{"spool": str(tmp_path / "spool")} | given)))
        return clients[-1]

    yield make
    for each in clients:
        each.close(5)


def codes(*names: int) -> list[str]:
    return [f"E{name}" for name in names]


def test_events_come_in_order_as_ndjson_packed_and_with_the_token(
    server: FaultyDaemon, made: Callable[..., Client]
) -> None:
    client = made(server.url, token="s3cret", service="shop", environment="live", release="shop@1")
    for number in range(1200):
        client.report(code=f"E{number}")
    assert client.flush(20)
    assert server.codes == codes(*range(1200))
    assert len({event["id"] for event in server.accepted}) == 1200
    headers = [headers for _, headers, _ in server.requests]
    assert {each["Authorization"] for each in headers} == {"Bearer s3cret"}
    assert {each["Content-Type"] for each in headers} == {"application/x-ndjson"}
    assert headers[0]["Content-Encoding"] == "gzip"
    assert len(headers) < 10, "events go in batches"
    assert {event["service"] for event in server.accepted} == {"shop"}
    assert server.accepted[0]["details"]["environment"] == "live"
    assert server.accepted[0]["details"]["release"] == "shop@1"


@pytest.mark.parametrize("spool", [None, ""], ids=["disk", "memory"])
@pytest.mark.parametrize(
    "trouble",
    [
        ScriptedResponse(503),
        ScriptedResponse(500),
        ScriptedResponse(429, (("Retry-After", "0"),)),
        ScriptedResponse(reset=True),
        ScriptedResponse(401, body={"error": "bring the token"}),
        ScriptedResponse(302, (("Location", "http://127.0.0.1:1/"),)),
    ],
    ids=["503", "500", "429", "reset", "401", "302"],
)
def test_what_cannot_be_taken_now_is_sent_again_once_in_order(
    server: FaultyDaemon, made: Callable[..., Client], trouble: ScriptedResponse, spool: str | None
) -> None:
    server.answers = [trouble, trouble]
    client = made(server.url, **({"spool": spool} if spool is not None else {}))
    for number in range(5):
        client.report(code=f"E{number}")
    wait_until(lambda: len(server.requests) >= 2, "a second try")
    for number in range(5, 10):
        client.report(code=f"E{number}")
    assert client.flush(20)
    assert server.codes == codes(*range(10))
    assert not client.losses.total


def test_retry_after_is_kept(server: FaultyDaemon, made: Callable[..., Client]) -> None:
    server.answers = [ScriptedResponse(429, (("Retry-After", "2"),))]
    client = made(server.url)
    client.report(code="A")
    wait_until(lambda: server.requests, "the first try")
    client.report(code="B")
    assert client.flush(20)
    first, second, *_ = [at for at, _, _ in server.requests]
    assert second - first >= 2
    assert server.codes == ["A", "B"]


def test_the_waits_grow(server: FaultyDaemon, made: Callable[..., Client]) -> None:
    server.answers = [ScriptedResponse(503)] * 4
    client = made(server.url)
    client.report(code="A")
    assert client.flush(30)
    at = [at for at, _, _ in server.requests]
    waits = [later - earlier for earlier, later in pairwise(at)]
    assert waits[0] < waits[2] < waits[3]
    assert waits[3] > 4 * waits[0]


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_batch_that_is_refused_is_dropped_and_told(
    server: FaultyDaemon, made: Callable[..., Client], status: int
) -> None:
    server.answers = [ScriptedResponse(status, body={"error": "no"})]
    client = made(server.url)
    for number in range(3):
        client.report(code=f"E{number}")
    wait_until(lambda: server.accepted, "the losses to be told")
    client.report(code="LATER")
    assert client.flush(10)
    assert server.codes == ["ERRORS_NOT_REPORTED", "LATER"]
    (told, _) = server.accepted
    assert told["message"] == "3 errors were not reported (refused by the daemon: 3)"
    assert told["details"]["not_reported"] == {"refused by the daemon": 3}
    assert client.losses.unreported() == {}


def test_what_is_rejected_of_a_batch_is_counted(server: FaultyDaemon, made: Callable[..., Client]) -> None:
    server.answers = [
        ScriptedResponse(202, body={"accepted": 2, "rejected": [{"index": 1, "error": "too deep"}]})
    ]
    client = made(server.url)
    for number in range(3):
        client.report(code=f"E{number}")
    wait_until(lambda: "ERRORS_NOT_REPORTED" in server.codes, "the losses to be told")
    assert client.losses.total == {"rejected by the daemon": 1}


def test_a_batch_that_is_too_large_goes_in_halves(server: FaultyDaemon, made: Callable[..., Client]) -> None:
    server.choose_response = lambda events: ScriptedResponse(
        413 if len(events) > 2 or events[0]["code"] == "E4" else 202
    )
    client = made(server.url)
    for number in range(8):
        client.report(code=f"E{number}")
    wait_until(lambda: "ERRORS_NOT_REPORTED" in server.codes, "the one that is too large alone")
    assert server.codes[:-1] == codes(0, 1, 2, 3, 5, 6, 7)
    assert client.losses.total == {"refused by the daemon": 1}


def test_a_slow_daemon_costs_the_caller_nothing_and_what_is_too_much_is_counted(
    server: FaultyDaemon, made: Callable[..., Client]
) -> None:
    server.answers = [ScriptedResponse(202, delay_s=1.0)]
    client = made(server.url, queue_size=100)
    client.report(code="FIRST")
    wait_until(lambda: server.requests, "the slow request")
    begun = time.monotonic()
    taken = [client.report(code=f"E{number}") for number in range(250)]
    assert time.monotonic() - begun < 0.5
    assert len([each for each in taken if each]) == 100
    assert client.flush(20)
    wait_until(lambda: "ERRORS_NOT_REPORTED" in server.codes, "the losses to be told")
    assert [code for code in server.codes if code.startswith("E") and code[1:].isdigit()] == codes(
        *range(100)
    )
    assert client.losses.total == {"the queue was full": 150}


def test_an_answer_that_does_not_come_is_asked_for_again(
    server: FaultyDaemon, made: Callable[..., Client]
) -> None:
    server.answers = [ScriptedResponse(202, delay_s=1.0)]
    client = made(server.url, timeout=0.3)
    identity = client.report(code="A")
    wait_until(lambda: len(server.requests) >= 2, "another try")
    assert client.flush(10)
    assert {event["id"] for _, _, events in server.requests for event in events} == {identity}


def test_a_connection_that_was_closed_meanwhile_is_no_outage(
    server: FaultyDaemon, made: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = [ScriptedResponse(202), ScriptedResponse(reset=True)]
    client = made(server.url)
    for code in ("A", "B"):
        client.report(code=code)
        assert client.flush(10)
    assert server.codes == ["A", "B"]
    assert caplog.text == ""


def test_where_nobody_listens_it_is_said_once_and_kept(
    made: Callable[..., Client], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    client = made("http://user:hunter2@127.0.0.1:9")
    client.report(code="A")
    wait_until(lambda: list((tmp_path / "spool").glob("*/[0-9]*")), "the spool")
    client.report(code="B")
    assert not client.flush(1.5)
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1
    assert "no errors can be sent to http://127.0.0.1:9: ConnectionRefusedError" in caplog.text
    assert "hunter2" not in caplog.text


def test_what_an_earlier_process_left_is_sent_first(
    server: FaultyDaemon, made: Callable[..., Client], tmp_path: Path
) -> None:
    server.default_response = ScriptedResponse(503)
    before = made(server.url)
    for number in range(3):
        before.report(code=f"E{number}")
    before.close()
    assert server.accepted == []
    server.default_response = ScriptedResponse()
    after = made(server.url)
    after.report(code="E3")
    assert after.flush(10)
    assert server.codes == codes(*range(4))
    assert list((tmp_path / "spool").glob("*/[0-9]*")) == []


def test_the_spool_keeps_its_bound_and_what_did_not_fit_is_told(
    server: FaultyDaemon, made: Callable[..., Client], tmp_path: Path
) -> None:
    server.default_response = ScriptedResponse(503, (("Retry-After", "1"),))
    client = made(server.url, spool_bytes=20_000)
    for number in range(30):
        client.report(code=f"E{number}", message="x" * 2000)
    wait_until(lambda: client.losses.total, "the bound")
    assert sum(path.stat().st_size for path in (tmp_path / "spool").glob("*/[0-9]*")) <= 20_000
    server.default_response = ScriptedResponse()
    assert client.flush(20)
    wait_until(lambda: "ERRORS_NOT_REPORTED" in server.codes, "the losses to be told")
    kept = [code for code in server.codes if code != "ERRORS_NOT_REPORTED"]
    assert kept == codes(*range(len(kept))), "the first are kept: among them is the cause"
    assert client.losses.total == {"no room on disk": 30 - len(kept)}


def test_at_the_end_all_is_sent(server: FaultyDaemon, made: Callable[..., Client]) -> None:
    client = made(server.url)
    for number in range(1500):
        client.report(code=f"E{number}")
    client.close(20)
    assert server.codes == codes(*range(1500))


def test_at_the_end_what_hangs_goes_to_disk_in_time_and_later_comes_once(
    server: FaultyDaemon, made: Callable[..., Client]
) -> None:
    server.answers = [ScriptedResponse(503, delay_s=3.0)]
    client = made(server.url)
    for number in range(50):
        client.report(code=f"E{number}")
    wait_until(lambda: server.requests, "the request that hangs")
    client.report(code="E50")
    begun = time.monotonic()
    client.close(0.3)
    assert time.monotonic() - begun < 2
    assert made(server.url).flush(0.0)
    after = made(server.url)
    after.start()
    wait_until(lambda: len(server.accepted) >= 51, "what was left")
    assert server.codes == codes(*range(51))


def test_after_the_end_it_begins_anew(server: FaultyDaemon, made: Callable[..., Client]) -> None:
    client = made(server.url)
    client.report(code="A")
    client.close(10)
    client.report(code="B")
    assert client.flush(10)
    assert server.codes == ["A", "B"]


def test_many_threads_at_once_lose_nothing(server: FaultyDaemon, made: Callable[..., Client]) -> None:
    client = made(server.url, queue_size=100_000)

    def report(thread: int) -> None:
        for number in range(300):
            client.report(code=f"T{thread}_{number}")

    threads = [threading.Thread(target=report, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert client.flush(30)
    assert sorted(server.codes) == sorted(f"T{t}_{n}" for t in range(8) for n in range(300))
    for t in range(8):
        assert [code for code in server.codes if code.startswith(f"T{t}_")] == [
            f"T{t}_{n}" for n in range(300)
        ]


def test_without_a_url_nothing_happens(made: Callable[..., Client]) -> None:
    client = made("")
    assert client.report(code="A") is None
    assert client.flush(1)
    assert client._thread is None


def test_a_token_that_no_header_can_hold_is_said_without_it(
    server: FaultyDaemon, made: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    made(server.url, token="hunter2\nmore").report(code="A")
    wait_until(lambda: "the token cannot be sent" in caplog.text, "the complaint")
    assert "hunter2" not in caplog.text
    assert server.requests == []


def test_the_token_is_read_anew_once_it_was_refused(
    server: FaultyDaemon, made: Callable[..., Client], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    server.answers = [ScriptedResponse(401)]
    client = made(server.url, token_file=str(file))
    client.report(code="A")
    wait_until(lambda: server.requests, "the first try")
    file.write_text("new\n")
    assert client.flush(10)
    assert [headers["Authorization"] for _, headers, _ in server.requests] == ["Bearer old", "Bearer new"]


def test_configure_sends_what_was_reported_before_to_where_it_was(reporting: FaultyDaemon) -> None:
    firstcause.report("A")
    with FaultyDaemon() as other:
        firstcause.configure(other.url, spool="")
        firstcause.report("B")
        assert firstcause.flush(10)
        assert (reporting.codes, other.codes) == (["A"], ["B"])


def test_one_that_cannot_be_rendered_takes_no_other_along(
    server: FaultyDaemon, made: Callable[..., Client]
) -> None:
    client = made(server.url)
    client.report(code="A")
    client._queue.append(CapturedError({"id": object()}, 0.0))
    client.report(code="B")
    assert client.flush(10)
    wait_until(lambda: len(server.accepted) == 3, "the loss to be told")
    assert server.codes == ["A", "B", "ERRORS_NOT_REPORTED"]
    assert client.losses.total == {"could not be rendered": 1}


def test_a_spool_that_vanishes_loses_nothing_that_comes_after(
    server: FaultyDaemon, made: Callable[..., Client], tmp_path: Path
) -> None:
    server.default_response = ScriptedResponse(503)
    client = made(server.url)
    client.report(code="GONE")
    wait_until(lambda: list((tmp_path / "spool").glob("*/[0-9]*")), "the spool")
    shutil.rmtree(tmp_path / "spool")
    for number in range(5):
        client.report(code=f"E{number}")
        time.sleep(0.1)
    server.default_response = ScriptedResponse()
    assert client.flush(20)
    assert server.codes == codes(*range(5))


@pytest.mark.parametrize("away", [True, False])
def test_a_client_with_nothing_to_do_takes_no_time(
    server: FaultyDaemon, made: Callable[..., Client], away: bool
) -> None:
    server.default_response = ScriptedResponse(503, (("Retry-After", "30"),)) if away else ScriptedResponse()
    client = made(server.url)
    client.report(code="A")
    wait_until(lambda: server.requests, "the request")
    time.sleep(2.5)
    before = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - before < 0.2
