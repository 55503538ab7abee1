"""docs/client.md, held to what it says: its code runs, and what it names is there."""

from __future__ import annotations

import inspect
import logging
import re
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
import structlog

import firstcause
from firstcause.client.settings import _ENV_SETTINGS, Settings
from firstcause.resources import shipped_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.faulty_daemon import FaultyDaemon

GUIDE = (shipped_path("rules").parent / "docs" / "client.md").read_text()
FIRST, AROUND, LOGGING, STRUCTLOG, UNCAUGHT = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


class PaymentError(Exception):
    """What the guide's application raises."""


def charge(_order: int) -> None:
    raise PaymentError


@pytest.fixture
def names() -> dict[str, Any]:
    return {
        "firstcause": firstcause,
        "PaymentError": PaymentError,
        "charge": charge,
        "order": 17,
        "app": print,
        "work": lambda: firstcause.report("WITHIN"),
    }


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    yield
    root.handlers[:], root.level, sys.excepthook, threading.excepthook = before
    structlog.reset_defaults()


def took(server: FaultyDaemon) -> list[dict[str, Any]]:
    assert firstcause.flush(20)
    return server.accepted


def test_its_first_code(server: FaultyDaemon, names: dict[str, Any]) -> None:
    exec(FIRST.replace("http://127.0.0.1:8377", server.url), names)
    assert [(event["code"], event["service"]) for event in took(server)] == [
        ("PAYMENT_FAILED", "checkout")
    ] * 2
    assert server.accepted[1]["details"]["exception"] == "PaymentError"


def test_around_code(reporting: FaultyDaemon, names: dict[str, Any]) -> None:
    block, rest = AROUND.split("\n\n", 1)
    with pytest.raises(PaymentError):
        exec(block, names)
    exec(rest, names)
    failed, within = took(reporting)
    assert (failed["code"], failed["tenant"]) == ("PAYMENT_FAILED", "acme")
    assert (within["tenant"], within["details"]["request"]) == ("acme", 9)


def test_by_way_of_logging(reporting: FaultyDaemon, names: dict[str, Any]) -> None:
    logging.getLogger("shop").disabled = False
    exec(LOGGING.replace('"version": 1,', '"version": 1, "disable_existing_loggers": False,'), names)
    (event,) = took(reporting)
    assert (event["code"], event["tenant"], event["message"]) == ("PAYMENT_FAILED", "globex", "card declined")


def test_by_way_of_structlog(reporting: FaultyDaemon, names: dict[str, Any]) -> None:
    exec(STRUCTLOG, names)
    (event,) = took(reporting)
    assert (event["code"], event["message"]) == ("PAYMENT_FAILED", "card declined")


def test_what_nobody_catches(reporting: FaultyDaemon, names: dict[str, Any]) -> None:
    exec(UNCAUGHT, names)
    assert isinstance(names["app"], firstcause.AsgiMiddleware)
    assert took(reporting) == []


def test_its_settings_are_those_there_are() -> None:
    table = GUIDE.partition("| `configure(...)`")[2].partition("\n\n")[0]
    rows = [row.split("|") for row in table.splitlines()[2:]]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert named == set(inspect.signature(firstcause.configure).parameters) == set(Settings._fields)
    variables = {name for row in rows for name in re.findall(r"`(FIRSTCAUSE_\w+)`", row[2])}
    assert variables == {f"FIRSTCAUSE_{name.upper()}" for name in _ENV_SETTINGS}


def test_its_defaults_are_those_there_are() -> None:
    defaults = Settings()
    for said in (defaults.url, f"{defaults.spool_bytes // 2**20} MiB", str(defaults.queue_size)):
        assert said in GUIDE
    assert f"{defaults.timeout:g}; for sending at the end of the process, {defaults.exit_within:g}" in GUIDE
