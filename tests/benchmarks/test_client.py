"""What a report costs the thread that makes it, beside sentry-sdk's capture in the same run."""

from __future__ import annotations

import logging
import statistics
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import sentry_sdk
from sentry_sdk.integrations.logging import EventHandler, LoggingIntegration

import firstcause
from firstcause.client.api import client
from support.benchmark_figures import Anchor, at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.benchmark_figures import Bar, Recorder

CALLS, BURST, PAUSE, DEPTH = 4000, 200, 0.1, 12
MEDIAN_US, P99_US = 15.0, 100.0


class Sink(BaseHTTPRequestHandler):
    """Takes whatever comes, as either of the two wants it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"{}"
        self.send_response(202 if self.path.startswith("/api/v1/") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def sink() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def caught() -> Exception:
    """An exception with a cause, out of a dozen frames."""

    def deeper(left: int) -> None:
        if left:
            deeper(left - 1)
        try:
            int("not a number")
        except ValueError as error:
            msg = "the amount is no number"
            raise RuntimeError(msg) from error

    try:
        deeper(DEPTH)
    except RuntimeError as error:
        return error
    raise AssertionError


def timed(call: Callable[[Any], object], make: Callable[[], Any] = lambda: None) -> list[float]:
    """Microseconds of each call with what `make` made, in bursts with pauses, so that no queue overflows."""
    found = []
    for number in range(-BURST, CALLS):
        argument = make()
        begun = time.perf_counter_ns()
        call(argument)
        took = (time.perf_counter_ns() - begun) / 1000
        if number >= 0:
            found.append(took)
        if number % BURST == BURST - 1:
            time.sleep(PAUSE)
    # The next is measured with nothing left to do for either thread.
    assert firstcause.flush(30)
    sentry_sdk.flush(30)
    return found


BARS: dict[str, Bar | None] = {"median": at_most(MEDIAN_US), "p99": at_most(P99_US), "median when cold": None}


def summary(found: list[float]) -> dict[str, float]:
    """Microseconds. cold: the first after a pause, when the processor's caches hold other things."""
    values = (
        statistics.median(found),
        statistics.quantiles(found, n=100)[98],
        statistics.median(found[::BURST]),
    )
    return dict(zip(BARS, values, strict=True))


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_a_report_costs_its_caller_little(record: Recorder, sink: int, tmp_path: Path) -> None:
    firstcause.configure(f"http://127.0.0.1:{sink}", service="shop", spool=tmp_path)
    sentry_sdk.init(f"http://key@127.0.0.1:{sink}/1", integrations=[LoggingIntegration(event_level=None)])
    ours, theirs = firstcause.Handler(), EventHandler(level=logging.ERROR)
    line = logging.LogRecord(
        "shop", logging.ERROR, __file__, 7, "payment %s of %s failed", (17, "acme"), None
    )

    taken = {
        "a code": (
            timed(lambda _: firstcause.report("PAYMENT_FAILED", tenant="acme", details={"order": 17})),
            timed(lambda _: sentry_sdk.capture_message("PAYMENT_FAILED", "error")),
        ),
        "an exception": (timed(firstcause.report, caught), timed(sentry_sdk.capture_exception, caught)),
        "a log record": (timed(lambda _: ours.handle(line)), timed(lambda _: theirs.handle(line))),
    }
    assert not client().losses.total
    sentry_sdk.get_client().close()
    for name, (mine, other) in taken.items():
        beside = summary(other)
        for kind, value in summary(mine).items():
            anchor = Anchor("sentry-sdk", beside[kind])
            record(f"report of {name}, {kind}", value, "us", anchor=anchor, bar=BARS[kind])
    for mine, _ in taken.values():
        assert summary(mine)["median"] < MEDIAN_US
        assert summary(mine)["p99"] < P99_US
