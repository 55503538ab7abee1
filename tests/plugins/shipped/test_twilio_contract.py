"""The real twilio library, as our plugin calls it, against Twilio's own published description of its API."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

import firstcause_twilio
from firstcause import DeliveryState, Notification, NotifyReason, Priority, Severity, Status
from firstcause_twilio.config import Config
from support.database_servers import free_port
from support.firstcause_process import wait_until
from support.npm_packages import install_packages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SID, TOKEN = "AC" + "a1" * 16, "0f" * 16
NOTICE = Notification(
    id="12-1",
    incident_id="7", reason=NotifyReason.FIRST, priority=Priority.P0, severity=Severity.CRITICAL,
    code="X", title="x", text="CRITICAL: x #7", body="all of it",
)  # fmt: skip


class Prism:
    """Answers as the description says, and writes down each request that it does not allow."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def violations(self) -> list[str]:
        """Of requests only: Twilio's own examples break its description in places."""
        return re.findall(r"error +(Request (?:path|query|body|header).*)", self.said)


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    log, port = tmp_path_factory.mktemp("prism") / "log", free_port()
    url = f"http://127.0.0.1:{port}"
    with install_packages("@stoplight/prism-cli", "@twilio/cli-core") as modules:
        api = modules / "@twilio" / "cli-core" / "src" / "services" / "twilio-api" / "twilio_api_v2010.json"
        program = ("node", modules / "@stoplight" / "prism-cli" / "dist" / "index.js")
        with log.open("wb") as out:
            given = (*program, "mock", "-h", "127.0.0.1", "-p", str(port), api)
            running = subprocess.Popen(given, stdout=out, stderr=out)
        try:
            wait_until(lambda: answers(url) or running.poll() is not None, "prism")
            assert running.poll() is None, log.read_text()
            yield Prism(url, log)
        finally:
            running.kill()
            running.wait()


def answers(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


def config(prism: Prism, **changes: object) -> Config:
    own = {"account_sid": SID, "auth_token": TOKEN, "from_number": "+15005550006", "to": ["+15005550020"]}
    given = {"account_sid": SID, "auth_token": TOKEN, "api_url": prism.url, "min_balance": 0}
    return Config.model_validate(given | {"sms": own, "call": own, "number": "+15005550006"} | changes)


@pytest.mark.slow
def test_everything_that_we_ask_twilio_is_as_it_describes_itself(prism: Prism) -> None:
    (probe,) = firstcause_twilio.firstcause_probes(config(prism))
    reading = probe.check()
    assert (reading.status, reading.code) == (Status.UP, None)
    assert isinstance(reading.data["balance_left"], float)
    notifiers = {each.name: each for each in firstcause_twilio.firstcause_notifiers(config(prism))}
    assert str(notifiers["twilio-sms"].send(NOTICE)).startswith("SM")
    assert str(notifiers["twilio-call"].send(NOTICE)).startswith("CA")
    service = {
        "account_sid": SID,
        "auth_token": TOKEN,
        "from_number": "MG" + "0a" * 16,
        "to": ["+15005550020"],
    }
    (by_service,) = firstcause_twilio.firstcause_notifiers(config(prism, sms=service, call=None))
    assert str(by_service.send(NOTICE)).startswith("SM")
    for notifier in (notifiers["twilio-sms"], by_service):
        assert notifier.find_sent is not None
        # Twilio's example of a list holds none of our messages.
        attempted = NOTICE.model_copy(update={"id": "12-2", "attempted_at": datetime.now(UTC)})
        assert notifier.find_sent(attempted) is None
    for notifier, sid in ((notifiers["twilio-sms"], "SM"), (notifiers["twilio-call"], "CA")):
        assert notifier.check_delivery is not None
        assert notifier.check_delivery(sid + "a1" * 16).state in DeliveryState
    assert prism.violations == []
    for path in ("Balance.json", "IncomingPhoneNumbers.json", "Messages.json", "Calls.json", f"{SID}.json"):
        assert path in prism.said


@pytest.mark.slow
def test_an_account_that_cannot_be_is_refused_and_said(prism: Prism) -> None:
    (probe,) = firstcause_twilio.firstcause_probes(config(prism, account_sid="nobody"))
    reading = probe.check()
    assert (reading.status, reading.code) == (Status.DOWN, "TWILIO_API_FAILURE")
    assert prism.violations != []
