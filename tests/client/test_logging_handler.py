"""By way of logging and structlog, as applications set them up."""

from __future__ import annotations

import logging
import logging.config
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import structlog

import firstcause
from firstcause.client.api import client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.faulty_daemon import FaultyDaemon


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    found = logging.getLogger("shop.payments")
    before = found.handlers[:], found.level, found.propagate
    found.setLevel(logging.DEBUG)
    found.propagate = False
    yield found
    found.handlers[:], found.level, found.propagate = before


def took(server: FaultyDaemon) -> list[dict[str, Any]]:
    assert firstcause.flush(20)
    return server.accepted


def test_a_handler_of_dictconfig(reporting: FaultyDaemon, log: logging.Logger) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"firstcause": {"class": "firstcause.Handler", "level": "WARNING", "tenant": "acme"}},
            "loggers": {"shop.payments": {"handlers": ["firstcause"], "level": "INFO"}},
        }
    )
    log.info("no error")
    log.warning("slow")
    log.error("card %s declined", "of the year", extra={"code": "PAYMENT_FAILED", "order": 17})
    log.critical("gone", extra={"tenant": "globex", "tags": {"zone": "a"}, "severity": "INFO"})
    slow, declined, gone = took(reporting)
    assert (slow["severity"], slow["tenant"], slow["service"]) == ("WARNING", "acme", "shop")
    assert (declined["code"], declined["message"]) == ("PAYMENT_FAILED", "card of the year declined")
    assert "severity" not in declined
    assert declined["details"]["logger"] == "shop.payments"
    assert declined["details"]["template"] == "card %s declined"
    assert declined["details"]["order"] == 17
    assert declined["source"]["function"] == "test_a_handler_of_dictconfig"
    assert (gone["severity"], gone["tenant"], gone["tags"]) == ("INFO", "globex", {"zone": "a"})


def test_by_itself_it_takes_errors_only(reporting: FaultyDaemon, log: logging.Logger) -> None:
    log.addHandler(firstcause.Handler())
    log.warning("slow")
    log.error("gone")
    assert [event["message"] for event in took(reporting)] == ["gone"]


def test_an_exception_comes_with_its_stack_and_once(reporting: FaultyDaemon, log: logging.Logger) -> None:
    log.addHandler(firstcause.Handler())
    with suppress(KeyError), firstcause.watch():
        try:
            dict[str, str]()["card"]
        except KeyError:
            log.exception("could not pay")
            raise
    (event,) = took(reporting)
    assert event["message"] == "could not pay"
    assert event["details"]["exception"] == "KeyError"
    assert event["stack"].endswith("KeyError: 'card'")


def test_arguments_that_do_not_fit_break_nothing(reporting: FaultyDaemon, log: logging.Logger) -> None:
    class Nasty:
        def __str__(self) -> str:
            log.error("from within")
            raise RuntimeError

    handler = firstcause.Handler()
    log.addHandler(handler)
    tried: list[tuple[Any, Any]] = [("%d of %s", ("x",)), ("it is %s", (Nasty(),)), (Nasty(), ())]
    for message, args in tried:
        handler.handle(logging.LogRecord("shop", logging.ERROR, __file__, 1, message, args, None))
    messages = [event["message"] for event in took(reporting)]
    assert messages[0] == "%d of %s"
    assert "it is %s" in messages
    assert "<Nasty whose __str__ raises RuntimeError>" in messages


def test_what_the_client_logs_itself_is_not_reported(reporting: FaultyDaemon) -> None:
    root = logging.getLogger()
    handler = firstcause.Handler(logging.DEBUG)
    root.addHandler(handler)
    try:
        logging.getLogger("firstcause.client").error("the daemon is away")
        logging.getLogger("firstcause.clients").error("somebody else's")
        firstcause.configure("http://127.0.0.1:9", spool="")
        firstcause.report("A")
        assert not firstcause.flush(1)
        assert len(client()._queue) == 0
        assert client().losses.total == {}
    finally:
        root.removeHandler(handler)
    assert reporting.codes == ["somebody else's"]


@pytest.fixture
def structured() -> Iterator[Any]:
    written: list[str] = []
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            firstcause.StructlogProcessor(tenant="acme"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: structlog.PrintLogger(file=Written(written)),  # type: ignore[arg-type]
    )
    yield written
    structlog.reset_defaults()


class Written:
    """A file whose lines the test reads."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, text: str) -> None:
        self._lines.append(text)

    def flush(self) -> None:
        pass


def test_structlog(reporting: FaultyDaemon, structured: list[str]) -> None:
    log = structlog.get_logger()
    log.info("fine")
    log.error("card declined", code="PAYMENT_FAILED", order=17, password="hunter2")
    try:
        dict[str, str]()["card"]
    except KeyError as error:
        log.exception("could not pay")
        log.error("again, but reported", exc_info=error)  # noqa: TRY400 - passed on, as some do
    log.critical("gone", tenant="globex")
    declined, could_not, gone = took(reporting)
    assert (declined["code"], declined["message"], declined["tenant"]) == (
        "PAYMENT_FAILED", "card declined", "acme",
    )  # fmt: skip
    assert declined["details"]["order"] == 17
    assert declined["details"]["password"] == "[masked]"
    assert declined["source"]["function"] == "test_structlog"
    assert could_not["stack"].endswith("KeyError: 'card'")
    assert (gone["severity"], gone["tenant"]) == ("CRITICAL", "globex")
    assert len([line for line in structured if line.strip()]) == 5, "all are logged as ever"
