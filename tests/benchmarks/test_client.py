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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


def shown(name: str, ours: list[float], theirs: list[float]) -> tuple[float, float]:
    """Prints a line of the table; the median and the 99th percentile of ours.

    cold: the median of the first after a pause, when the processor's caches hold other things.
    """
    median, p99, cold = figures(ours)
    their_median, their_p99, their_cold = figures(theirs)
    print(
        f"{name:<11}{median:8.1f}{p99:8.1f}{cold:8.1f}{their_median:15.1f}{their_p99:9.1f}{their_cold:9.1f}"
        f"    1/{their_median / median:.0f}, 1/{their_p99 / p99:.0f}"
    )
    return median, p99


def figures(found: list[float]) -> tuple[float, float, float]:
    return statistics.median(found), statistics.quantiles(found, n=100)[98], statistics.median(found[::BURST])


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_a_report_costs_its_caller_little(sink: int, tmp_path: Path) -> None:
    firstcause.configure(f"http://127.0.0.1:{sink}", service="shop", spool=tmp_path)
    sentry_sdk.init(f"http://key@127.0.0.1:{sink}/1", integrations=[LoggingIntegration(event_level=None)])
    ours, theirs = firstcause.Handler(), EventHandler(level=logging.ERROR)
    record = logging.LogRecord(
        "shop", logging.ERROR, __file__, 7, "payment %s of %s failed", (17, "acme"), None
    )

    print(f"\n{'us a call':<11}  median     p99    cold     sentry-sdk      p99     cold    share of it")
    rows = [
        shown(
            "code",
            timed(lambda _: firstcause.report("PAYMENT_FAILED", tenant="acme", details={"order": 17})),
            timed(lambda _: sentry_sdk.capture_message("PAYMENT_FAILED", "error")),
        ),
        shown("exception", timed(firstcause.report, caught), timed(sentry_sdk.capture_exception, caught)),
        shown("log record", timed(lambda _: ours.handle(record)), timed(lambda _: theirs.handle(record))),
    ]
    assert not client().losses.total
    sentry_sdk.get_client().close()
    for median, p99 in rows:
        assert median < MEDIAN_US
        assert p99 < P99_US
