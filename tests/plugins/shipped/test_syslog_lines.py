"""Stacks by syslog, however they are cut, and messages with odd times, headers and bodies."""

from __future__ import annotations

import logging
import logging.handlers
import shutil
import socket
import subprocess
import sys
import traceback
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import firstcause_syslog
from firstcause import Event, IntakeResult, Severity
from firstcause_syslog import udp
from firstcause_syslog.config import Config
from firstcause_syslog.joining import JOIN_PAUSE, MessageJoiner
from firstcause_syslog.parser import Parser
from support.database_servers import free_port
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from support.scenario_app import Stage

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
JAVA = [
    "[exec-1] com.shop.Pay charging failed",
    "java.lang.IllegalStateException: no rate",
    "\tat com.shop.Pay.charge(Pay.java:41)",
    "\tat com.shop.Api.post(Api.java:9)",
    "Caused by: java.io.IOException: closed",
    "\tat com.shop.Net.read(Net.java:7)",
    "\t... 3 more",
]
PYTHON = [
    "cannot load order 7",
    "Traceback (most recent call last):",
    '  File "/app/w.py", line 8, in f',
    "    load(7)",
    "KeyError: 'x'",
]


def join(*messages: str, by_stream: bool = False, now: datetime = NOW, **config: Any) -> IntakeResult:
    joiner = MessageJoiner(Parser(Config.model_validate(config)))
    for message in messages:
        joiner.add_message(message.encode(), "10.0.0.7", "10.0.0.7", now, by_stream=by_stream)
    return joiner.take_ready(None)


def read(message: str, now: datetime = NOW, **config: Any) -> Event:
    (event,) = join(message, now=now, **config).events
    return event


GO = [
    "panic: no rate",
    "",
    "goroutine 1 [running]:",
    "main.(*Shop).charge(0xc000012120)",
    "\t/app/shop.go:12 +0x1d",
    "main.main()",
    "\t/app/main.go:7 +0x20",
]
PHP = [
    "PHP Fatal error:  Uncaught Error: Call to a member function save() on null in /app/Order.php:12",
    "Stack trace:",
    "#0 /app/Kernel.php(33): App\\Order->store()",
    "#1 {main}",
    "  thrown in /app/Order.php on line 12",
]
RUST = [
    "thread 'main' panicked at src/main.rs:4:5:",
    "  index out of bounds",
    "stack backtrace:",
    "   0: rust_begin_unwind",
    "note: run with `RUST_BACKTRACE=full` for a verbose backtrace.",
]


BARE_PANIC = [
    "thread 'main' (4711) panicked at src/main.rs:4:5:",
    "no route to the bank",
    "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
]


@pytest.mark.parametrize("lines", [JAVA, PYTHON, GO, PHP, RUST, BARE_PANIC])
@pytest.mark.parametrize("head", ["<11>app[7]: ", "<11>Nov 25 12:00:00 web1 ", "<11>1 - web1 app 7 - - "])
def test_a_stack_that_is_sent_line_by_line_is_one_error(lines: list[str], head: str) -> None:
    result = join(*(head + line for line in lines))
    (event,) = result.events
    assert event.message == lines[0]
    assert event.stack == "\n".join(lines[1:]).strip("\n")
    assert result.ignored == {}


def test_lines_of_two_programs_do_not_mix() -> None:
    mixed = [
        f"<11>{program}: {line}"
        for pair in zip(PYTHON, PYTHON, strict=True)
        for program, line in zip("ab", pair, strict=True)
    ]
    events = join(*mixed).events
    assert {(event.service, event.stack) for event in events} == {
        ("a", "\n".join(PYTHON[1:])),
        ("b", "\n".join(PYTHON[1:])),
    }
    processes = [f"<11>app[{number}]: {line}" for line in PYTHON for number in (1, 2)]
    assert [event.stack for event in join(*processes).events] == ["\n".join(PYTHON[1:])] * 2


@pytest.mark.parametrize(
    "messages",
    [
        ["disk full", "no route", "timed out"],
        [" disk full", " no route", " timed out"],
        ["KeyError: 'x'", "ValueError: y", "java.io.IOException: z"],
        [*PYTHON[1:], "KeyError: 'y'", "next one"],
    ],
)
def test_messages_of_their_own_stay_apart(messages: list[str]) -> None:
    count = 3
    assert len(join(*(f"<11>app: {message}" for message in messages)).events) == count


def test_a_line_after_a_pause_is_a_message_of_its_own() -> None:
    joiner = MessageJoiner(Parser(Config()))
    for index, line in enumerate(("<11>app: failed", "<11>app: \tat com.shop.Pay.charge(Pay.java:41)")):
        joiner.add_message(line.encode(), "a", "a", NOW + index * 2 * JOIN_PAUSE, by_stream=False)
    assert len(joiner.take_ready(None).events) == 2


def test_a_message_waits_no_longer_than_the_pause() -> None:
    joiner = MessageJoiner(Parser(Config()))
    joiner.add_message(b"<11>app: failed", "a", "a", NOW, by_stream=False)
    assert joiner.take_ready(NOW + JOIN_PAUSE / 2).events == []
    assert len(joiner.take_ready(NOW + 2 * JOIN_PAUSE).events) == 1
    assert joiner.take_ready(None).events == []


def test_an_endless_stack_and_endless_programs_stay_in_bounds() -> None:
    result = join("<11>app: failed", *["<11>app:   at x"] * 2000)
    (event,) = result.events
    lines = 1 + (event.stack or "").count("\n") + 1
    assert lines == 500
    assert result.ignored == {"line of a long message": 2001 - lines}
    joiner = MessageJoiner(Parser(Config()))
    for number in range(3000):
        joiner.add_message(f"<11>app{number}: failed".encode(), "a", "a", NOW, by_stream=False)
    assert len(joiner.take_ready(NOW).events) == 2000
    assert len(joiner.take_ready(None).events) == 1000


MESSAGES = st.lists(
    st.builds(
        "<{}>{}: {}".format,
        st.sampled_from([11, 14]),
        st.sampled_from(["a", "b[1]", "b[2]"]),
        st.sampled_from([*JAVA, *PYTHON, "failed", " spaced", '{"msg": "x"}']),
    ),
    max_size=30,
)


@given(MESSAGES, st.booleans())
def test_no_line_is_lost(messages: list[str], by_stream: bool) -> None:
    result = join(*messages, by_stream=by_stream, min_severity=7)
    lines = sum(1 + (event.stack.count("\n") + 1 if event.stack else 0) for event in result.events)
    assert lines + sum(result.ignored.values()) == len(messages)


def test_escaped_line_ends_of_rsyslog() -> None:
    event = read("<11>1 - web1 app - - - " + "#012".join(PYTHON).replace("    ", "#011"))
    assert (event.message, (event.stack or "").split("\n")[-1]) == ("cannot load order 7", "KeyError: 'x'")
    assert "\tload(7)" in (event.stack or "")
    assert read("<11>app: ticket #012 is open").message == "ticket #012 is open"


class Served:
    def __init__(self, client: httpx.Client, stage: Stage, udp: int, tcp: int) -> None:
        self.client, self.stage, self.udp, self.tcp = client, stage, udp, tcp

    def events(self, number: int) -> list[dict[str, Any]]:
        def find_events() -> list[dict[str, Any]]:
            rows = [row["event"] for row in self.stage.accepted()]
            return [row for row in rows if row["id"].startswith("syslog:")]

        wait_until(lambda: len(find_events()) >= number, f"{number} events")
        return sorted(find_events(), key=lambda event: "stack" not in event)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    udp_port, tcp = free_port(), free_port()
    tables = {"firstcause_syslog": {"udp": udp_port, "tcp": tcp}}
    with serve_stage(tmp_path, firstcause_syslog, tables=tables) as (client, stage):
        wait_until(lambda: _is_open(tcp), "the listener")
        yield Served(client, stage, udp_port, tcp)


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("end", ["\0", "\n"])
def test_lines_within_a_frame_that_ends_with_nul(served: Served, end: str) -> None:
    frames = ["<11>app: " + "\n".join(PYTHON), "<11>app: next one"]
    with socket.create_connection(("127.0.0.1", served.tcp)) as line:
        for part in f"{end.join(frames)}{end}".split("File"):
            line.sendall(part.encode() + (b"File" if "Traceback" in part else b""))
    first, second = served.events(2)
    assert (first["message"], first["stack"]) == (PYTHON[0], "\n".join(PYTHON[1:]))
    assert second["message"] == "next one"


def test_pythons_own_handler_a_line_a_datagram(served: Served) -> None:
    handler = logging.handlers.SysLogHandler(("127.0.0.1", served.udp))
    handler.ident = "shop: "
    try:
        {"a": 1}["card"]
    except KeyError:
        lines = ["paying failed", *traceback.format_exc().rstrip().split("\n")]
    for text in [*lines, "no stock of tea"]:
        handler.emit(logging.LogRecord("shop", logging.ERROR, "x.py", 1, text, None, None))
    handler.close()
    first, second = served.events(2)
    assert (first["message"], second["message"]) == ("paying failed", "no stock of tea")
    assert first["stack"].startswith("Traceback (most recent call last):")
    assert first["stack"].endswith("KeyError: 'card'")


RSYSLOG = """
global(workDirectory="{folder}")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{input}")
*.err action(type="omfwd" target="127.0.0.1" port="{tcp}" protocol="tcp"
             template="RSYSLOG_SyslogProtocol23Format" tcp_framing="octet-counted")
*.err action(type="omfwd" target="127.0.0.1" port="{udp}" protocol="udp" template="RSYSLOG_ForwardFormat")
*.err action(type="omfwd" target="127.0.0.1" port="{tcp}" protocol="tcp"
             template="RSYSLOG_TraditionalForwardFormat")
"""


def test_rsyslog_forwards_a_stack(served: Served, tmp_path: Path) -> None:
    program = shutil.which("rsyslogd")
    if program is None:
        pytest.skip("rsyslogd is not installed")
    port = free_port()
    config = tmp_path / "rsyslog.conf"
    config.write_text(RSYSLOG.format(folder=tmp_path, input=port, tcp=served.tcp, udp=served.udp))
    command = [program, "-n", "-f", str(config), "-i", str(tmp_path / "pid")]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.connect(("127.0.0.1", port))
            wait_until(lambda: _has_listener(line), "rsyslogd")
            text = "\n".join(PYTHON)
            line.send(f"<11>Nov 25 12:00:00 web1 shop[7]: {text}".encode())
        events = served.events(3)
    finally:
        running.terminate()
        running.wait(30)
    for event in events:
        assert (event["message"], event["service"]) == (PYTHON[0], "shop")
        assert event["stack"].split("\n")[-1] == PYTHON[-1]
        assert event["details"]["host"] == "web1"


def test_what_waits_when_the_daemon_stops_is_stored(tmp_path: Path) -> None:
    port = free_port()
    tables = {"firstcause_syslog": {"udp": port}}
    with serve_stage(tmp_path, firstcause_syslog, tables=tables) as (_client, stage):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.connect(("127.0.0.1", port))
            wait_until(lambda: _has_listener(line), "the listener")
            line.send(b"<11>app: the last words")
        folder_url = stage.app.settings.store.url
    assert folder_url
    with serve_stage(tmp_path, firstcause_syslog) as (_client, stage):
        wait_until(lambda: stage.incidents("open"), "the incident of before the stop")
        assert stage.incidents("open")[0]["title"] == "the last words"


def _has_listener(line: socket.socket) -> bool:
    """A datagram to a closed port is answered, so the next call fails."""
    try:
        line.send(b"<15>probe: x")
        line.send(b"<15>probe: x")
    except ConnectionRefusedError:
        return False
    return True


def test_what_is_let_go_is_counted(served: Served) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        for text in (b"<14>app: hello", b"<12>app: slow", b"nothing to say", b"\n", b"<11>app: failed"):
            line.sendto(text, ("127.0.0.1", served.udp))
    served.events(1)
    passed = {"severity info": 1, "severity warning": 1, "without priority": 1, "empty": 1}

    def counts() -> object:
        return served.client.get("/api/v1/status").json()["intake"]["passed"]

    wait_until(lambda: counts() == {"syslog/udp": passed}, "the counts")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how many datagrams it dropped")
def test_datagrams_that_the_kernel_drops_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "_RECEIVE_BUFFER_BYTES", 4096)
    sent = 500
    joiner = MessageJoiner(Parser(Config()))
    with udp.bind_socket("127.0.0.1", 0, socket.SOCK_DGRAM) as sock:
        receiver = udp.DatagramReceiver(sock, joiner)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.connect(sock.getsockname())
            for number in range(sent):
                line.send(f"<11>app[{number}]: failed".encode())
            receiver.receive_batch()
            line.send(b"<11>app: the next one")
            receiver.receive_batch()
    result = joiner.take_ready(None)
    assert 0 < len(result.events) < sent
    assert result.ignored == {"dropped by the kernel": sent + 1 - len(result.events)}


def test_a_body_that_is_json_without_a_tag() -> None:
    event = read('<11>Nov 25 12:00:00 my.host {"level":"error","msg":"cannot charge","stack":"a\\n at b"}')
    assert (event.service, event.message, event.stack) == (None, "cannot charge", "a\n at b")
    assert event.details["log"]["level"] == "error"
    event = read(
        '<11>app: @cee: {"msg": "no route", "service": "shop", "tenant": "acme", "code": "NO_ROUTE"}'
    )
    assert (event.service, event.tenant, event.code, event.message) == (
        "shop",
        "acme",
        "NO_ROUTE",
        "no route",
    )
    assert read("<11>app: {not json}").message == "{not json}"


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("ERROR cannot charge card", None),
        ("Nov 25 12:00:00 web1 app[7]: [error] cannot charge", None),
        ('{"level": "fatal", "msg": "x"}', Severity.CRITICAL),
        ("2026-11-25T12:00:00Z web1 app: CRITICAL pool gone", Severity.CRITICAL),
    ],
)
def test_without_a_priority_the_loggers_level_counts(text: str, severity: Severity | None) -> None:
    assert read(text).severity is severity
    assert join("finished without an error", "INFO all is well").events == []


def test_a_program_may_have_a_severity_of_its_own() -> None:
    levels = {"postgres": 4, "sudo": 2}
    texts = ["<12>postgres: slow", "<11>sudo: denied", "<12>app: slow", "<11>app: failed"]
    events = join(*texts, program_min_severity=levels).events
    assert [(event.service, event.severity) for event in events] == [
        ("postgres", Severity.WARNING),
        ("app", None),
    ]


def test_structured_data_that_comes_twice_is_kept() -> None:
    event = read('<11>1 - h app - - [a ip="1" ip="2"][b ip="3" x="y"][b ip="1"] failed')
    assert event.message == "failed"
    assert event.details["data"] == {"ip": "1", "a.ip": "2", "b.ip": "3", "x": "y"}
    event = read('<11>1 - h app - - [a x="1"][b y="2"] [a x="1"][b y="2"] failed')
    assert (event.message, event.details["data"]) == ("failed", {"x": "1", "y": "2"})
    assert read('<11>1 - h app - - [a x="1"] [a x="2"] failed').message == '[a x="2"] failed'


def test_a_stack_in_structured_data() -> None:
    stack = "java.lang.IllegalStateException: no rate\n\tat com.shop.Pay.charge(Pay.java:41)\n"
    event = read(f'<11>1 2026-11-25T12:00:00Z h app 7 Audit [mdc@18060 exception="{stack}"] charging failed')
    assert (event.message, event.stack) == ("charging failed", stack.strip())


@pytest.mark.parametrize(
    ("now", "text", "time"),
    [
        ("2026-12-31T23:59:50", "Jan  1 00:00:05", "2027-01-01T00:00:05"),
        ("2027-01-01T00:00:05", "Dec 31 23:59:50", "2026-12-31T23:59:50"),
        ("2028-03-01T00:00:00", "Feb 29 23:59:59", "2028-02-29T23:59:59"),
        ("2026-11-25T12:00:00", "Nov 25 2026 11:58:00", "2026-11-25T11:58:00"),
        ("2026-11-25T12:00:00", "Nov 25 11:58:00 2026", "2026-11-25T11:58:00"),
        ("2026-11-25T12:00:00", "2026 Nov 25 11:58:00", "2026-11-25T11:58:00"),
        ("2026-11-25T12:00:00", "Nov 25 2026 11:58:00:", "2026-11-25T11:58:00"),
        ("2026-11-25T12:00:00", "45: *Nov 25 11:58:00.123 UTC:", "2026-11-25T11:58:00"),
        ("2026-11-25T12:00:00", ": 2026 Nov 25 11:58:00 UTC:", "2026-11-25T11:58:00"),
    ],
)
def test_years_that_are_not_sent(now: str, text: str, time: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    event = read(f"<11>{text} h app: failed", now=at)
    assert event.time == datetime.fromisoformat(time).replace(tzinfo=UTC)
    assert event.service == "app"


@given(st.integers(-56, 56), st.integers(-45, 45))
def test_local_times_without_a_zone_are_corrected(quarters: int, delay: int) -> None:
    sent = NOW - timedelta(minutes=15 * quarters) - timedelta(seconds=delay)
    event = read(f"<11>{sent:%b %d %H:%M:%S} h app: failed")
    assert abs(event.time - NOW) <= timedelta(seconds=45)
    assert ("sent_time" in event.details) == (quarters != 0)
    if quarters:
        assert event.details["sent_time"] == sent.isoformat()
        assert f"{abs(quarters) / 4:g} h" in event.details["clock"]


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("Nov 25 07:07:00 h app: failed", False),  # Not whole quarters: it waited in a queue.
        ("2026-11-25T07:00:00Z h app: failed", False),  # A zone is said.
        ("2026-11-25T07:00:03 h app: failed", True),
        ("Nov 20 12:00:00 h app: failed", False),  # Days are no time zone.
        ("Jan  1 00:00:12 h app: failed", True),
        ("1970-01-01T00:03:00Z h app: failed", True),
        ("1 2000-01-01T00:03:00Z h app - - - failed", True),
    ],
)
def test_times_that_are_corrected_and_times_that_are_not(text: str, changed: bool) -> None:
    event = read(f"<11>{text}")
    is_now = abs(event.time - NOW) < timedelta(minutes=1)
    assert (is_now, "clock" in event.details) == (changed, changed)
    if changed:
        problem = (
            "is not set; this is the time of receipt" if "07:00:03" not in text else "is 5 h behind ours"
        )
        assert problem in event.details["clock"]


def test_the_exception_of_a_line_is_not_a_program() -> None:
    for text in ("java.lang.IllegalStateException: no rate", "ValueError: bad"):
        event = read(f"<11>Nov 25 12:00:00 web1 {text}")
        assert (event.service, event.message, event.details["host"]) == (None, text, "web1")


def test_postgresqls_numbered_lines_are_one_error_and_its_error_counts() -> None:
    joiner = MessageJoiner(Parser(Config()))
    head = "<132>Nov 25 12:00:00 db1 postgres[77]: "
    lines = ["[6-1] ERROR:  relation x does not exist", "[6-2] STATEMENT:  SELECT 1", "[7-1] ERROR:  other"]
    for line in lines:
        joiner.add_message((head + line).encode(), "s", "10.0.0.1", NOW, by_stream=False)
    first, second = joiner.take_ready(None).events
    assert (first.message, first.stack) == ("ERROR:  relation x does not exist", "STATEMENT:  SELECT 1")
    assert second.message == "ERROR:  other"
