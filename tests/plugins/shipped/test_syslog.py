"""syslog as `logger`, Python's handler and bare sockets send it, through a real listener to the store."""

from __future__ import annotations

import json
import logging
import logging.handlers
import shutil
import socket
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import firstcause_syslog
from firstcause import Event, IntakeError, Severity
from firstcause_syslog.config import Config
from firstcause_syslog.joining import MessageJoiner
from firstcause_syslog.message import MAX_MESSAGE_BYTES, parse_message
from firstcause_syslog.parser import Parser
from firstcause_syslog.tcp import Stream
from support.database_servers import free_port
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.scenario_app import Stage

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def read(text: str, **config: Any) -> Event | None:
    parser = Parser(Config.model_validate(config))
    message = parser.parse(text.encode(), NOW)
    event = parser.build_event(message, "10.0.0.7", NOW) if message is not None else None
    return event if isinstance(event, Event) else None


def test_rfc_5424_is_read_whole() -> None:
    event = read(
        "<27>1 2026-11-25T11:59:00.003Z db1 postgres 812 ID47 "
        '[app@1 code="DB_DOWN" tenant="ac\\"me\\]"][x y="z"] '
        "\ufeffcannot accept connections\nDETAIL: too many clients\n"
    )
    assert event is not None
    assert (event.code, event.message, event.service) == ("DB_DOWN", "cannot accept connections", "postgres")
    assert (event.tenant, event.severity) == ('ac"me]', None)
    assert event.stack == "DETAIL: too many clients"
    assert event.time == datetime(2026, 11, 25, 11, 59, 0, 3000, UTC)
    assert event.details == {
        "host": "db1", "program": "postgres", "process": "812", "message_id": "ID47", "facility": 3,
        "peer": "10.0.0.7", "data": {"code": "DB_DOWN", "tenant": 'ac"me]', "y": "z"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "program", "words"),
    [
        ("<34>Oct 11 22:14:15 mymachine su[17]: 'su root' failed", "su", "'su root' failed"),
        ("<34>Oct  1 22:14:15 su: failed", "su", "failed"),
        ("<34>2026-10-11T22:14:15+02:00 host app: no", "app", "no"),
        ("<34>app: no time", "app", "no time"),
        ("<34>app[7]: no time", "app", "no time"),
        ("<34>error: disk full", None, "error: disk full"),
        ("<34>ValueError: bad", None, "ValueError: bad"),
        ("<34>connection refused: db", None, "connection refused: db"),
        ("<34>Feb 31 22:14:15 host x: y", None, "Feb 31 22:14:15 host x: y"),
        ("<34>1 nonsense", None, "1 nonsense"),
        ("<34>1 - - - - - -", None, ""),
        ("<34>1 - - - - - [a b", None, "[a b"),
    ],
)
def test_rfc_3164_is_read_as_it_is_written(sent: str, program: str | None, words: str) -> None:
    said = parse_message(sent, NOW, BERLIN)
    assert (said.severity_number, said.facility, said.program, said.text) == (2, 4, program, words)


def test_a_time_without_a_year_or_a_zone() -> None:
    before = [
        parse_message(f"<34>{said} h a: b", NOW, BERLIN).time
        for said in ("Nov 25 12:59:00", "Dec 31 12:00:00")
    ]
    assert before == [datetime(2026, 11, 25, 11, 59, tzinfo=UTC), datetime(2025, 12, 31, 11, tzinfo=UTC)]


def test_what_counts_as_an_error() -> None:
    assert [read(f"<{number}>app: x") is not None for number in range(8)] == [True] * 4 + [False] * 4
    assert read("app: without a priority it is a notice") is None
    warned = read("<4>app: x", min_severity=4)
    assert warned is not None
    assert warned.severity is Severity.WARNING
    assert read("<999>app: x", min_severity=7) is not None
    assert read("  \n") is None


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(sent: bytes) -> None:
    for start in (b"", b"<11>", b"<11>1 ", b"<11>1 - h a p m ", b"<11>Oct 11 22:14:15 "):
        joiner = MessageJoiner(Parser(Config(min_severity=7)))
        for data in (start + sent, sent):
            joiner.add_message(data, "x", "x", NOW, by_stream=True)
        assert len(joiner.take_ready(None).events) <= 2


FRAMES = st.lists(
    st.tuples(
        st.binary(min_size=1, max_size=40).filter(lambda each: not set(each) & set(b"\n\0")), st.booleans()
    ),
    max_size=8,
)


@given(FRAMES, st.lists(st.integers(1, 7), max_size=30))
def test_however_a_stream_is_cut_its_messages_are_the_same(
    frames: list[tuple[bytes, bool]], cuts: list[int]
) -> None:
    # A message that begins with a digit can only be sent with its length.
    frames = [(text, counted or text[:1].isdigit()) for text, counted in frames]
    whole = b"".join(b"%d %s" % (len(text), text) if counted else text + b"\n" for text, counted in frames)
    stream = Stream("x")
    found: list[bytes] = []
    for size in cuts:
        found += stream.take_messages(whole[:size])
        whole = whole[size:]
    found += stream.take_messages(whole)
    found += stream.take_messages(b"", ended=True)
    assert found == [text for text, _counted in frames]


def test_what_is_too_long_is_cut_and_what_follows_is_read() -> None:
    stream = Stream("x")
    found = list(stream.take_messages(b"a" * (MAX_MESSAGE_BYTES + 1))) + list(
        stream.take_messages(b"a" * 500 + b"\nnext\n")
    )
    assert [len(each) for each in found] == [MAX_MESSAGE_BYTES, 4]
    with pytest.raises(ValueError, match="is announced"):
        list(Stream("x").take_messages(b"9999999 a"))


class Served:
    """A daemon that listens for syslog on loopback."""

    def __init__(self, stage: Stage, udp: int, tcp: int) -> None:
        self.stage, self.udp, self.tcp = stage, udp, tcp

    def events(self, number: int) -> list[dict[str, Any]]:
        def found() -> list[dict[str, Any]]:
            rows = [row["event"] for row in self.stage.accepted()]
            return [each for each in rows if each["id"].startswith("syslog:")]

        wait_until(lambda: len(found()) >= number, f"{number} events")
        return found()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    udp, tcp = free_port(), free_port()
    tables = {"firstcause_syslog": {"udp": udp, "tcp": tcp, "connections": 3}}
    with serve_stage(tmp_path, firstcause_syslog, tables=tables) as (_client, stage):
        wait_until(lambda: _open(tcp), "the listener")
        yield Served(stage, udp, tcp)


def _open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    "way", ["--udp --rfc5424", "--tcp --rfc5424", "--tcp --octet-count", "--udp --rfc3164", "--tcp --rfc3164"]
)
def test_logger_of_util_linux(served: Served, way: str) -> None:
    program = shutil.which("logger")
    if program is None:
        pytest.skip("logger is not installed")
    port = served.udp if "--udp" in way else served.tcp
    place = ["--server", "127.0.0.1", "--port", str(port)]
    command = [program, *way.split(), *place, "-t", "payments", "-p", "daemon.err"]
    structured = ["--sd-id", "app@1", "--sd-param", 'tenant="acme"'] if "--rfc5424" in way else []
    subprocess.run([*command, *structured, "gateway timed out"], check=True, timeout=30)
    (event,) = served.events(1)
    assert (event["message"], event["service"]) == ("gateway timed out", "payments")
    assert event.get("tenant") == ("acme" if structured else None)
    assert event["details"]["host"]


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_pythons_own_handler(served: Served, kind: socket.SocketKind) -> None:
    port = served.udp if kind is socket.SOCK_DGRAM else served.tcp
    handler = logging.handlers.SysLogHandler(("127.0.0.1", port), socktype=kind)
    handler.ident = "shop: "
    record = logging.LogRecord("shop", logging.ERROR, "x.py", 1, "no stock of %s", ("tea",), None)
    handler.emit(record)
    handler.close()
    (event,) = served.events(1)
    assert (event["message"], event["service"]) == ("no stock of tea", "shop")


def test_a_storm_by_tcp_comes_whole_and_by_several_connections(served: Served) -> None:
    for part in range(3):
        with socket.create_connection(("127.0.0.1", served.tcp)) as line:
            for number in range(700):
                text = f"<11>1 - h app - - - order {part} {number} lost"
                line.sendall(f"{len(text)} {text}".encode() if part else f"{text}\n".encode())
    assert len({each["message"] for each in served.events(2100)}) == 2100


def test_a_connection_too_many_is_turned_away_and_a_broken_one_hurts_no_other(served: Served) -> None:
    lines = [socket.create_connection(("127.0.0.1", served.tcp)) for _ in range(3)]
    with socket.create_connection(("127.0.0.1", served.tcp), timeout=10) as further:
        assert further.recv(1) == b""
    lines[0].sendall(b"9999999 a")
    assert lines[0].recv(1) == b""
    lines[1].sendall(b"<11>app: still here\n")
    assert served.events(1)[0]["message"] == "still here"
    for line in lines:
        line.close()


def test_what_finds_no_room_waits_by_tcp_and_is_lost_by_udp(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []
    kind = type(served.stage.app.intake)
    submit = kind.submit

    def full(self: Any, payloads: Any) -> Any:
        tries.append([event["message"] for payload in payloads for event in json.loads(payload.body)])
        if len(tries) <= 2:
            raise IntakeError("no room", 503, retry_after=1)
        return submit(self, payloads)

    monkeypatch.setattr(kind, "submit", full)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.sendto(b"<11>app: by udp", ("127.0.0.1", served.udp))
    wait_until(lambda: tries, "the first try")
    with socket.create_connection(("127.0.0.1", served.tcp)) as line:
        line.sendall(b"<11>app: by tcp\n")
    (event,) = served.events(1)
    assert event["message"] == "by tcp"
    assert tries == [["by udp"], ["by tcp"], ["by tcp"]]
    assert "1 messages by UDP are lost: no room" in caplog.text


def test_nothing_listens_without_a_port() -> None:
    assert firstcause_syslog.firstcause_listeners(Config()) == []
