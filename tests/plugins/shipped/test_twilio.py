"""The real twilio library against a Twilio on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from pydantic import ValidationError

import firstcause_twilio
from firstcause import (
    DeliveryError,
    DeliveryReport,
    DeliveryState,
    Notification,
    Notifier,
    NotifyReason,
    Priority,
    Reading,
    Severity,
    Status,
)
from firstcause.demo.fake_twilio import FakeTwilio
from firstcause_twilio.config import Config
from support.certificate_chain import Authority
from support.scripted_web_server import run_web_server
from support.swallowing_address import resolve_to_swallowing_first

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SID, TOKEN = "AC" + "a1" * 16, "0f" * 16
NOTICE = Notification(
    id="12-1",
    incident_id="7", reason=NotifyReason.FIRST, priority=Priority.P0, severity=Severity.CRITICAL,
    code="X", title="x", text="CRITICAL: x #7", body="all of it",
)  # fmt: skip


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as running:
        running.add_account(SID, TOKEN, ["+15005550006"])
        yield running


SMS = {"account_sid": SID, "auth_token": TOKEN, "from_number": "+15005550006", "to": ["+15005550020"]}


def config(url: str, **changes: Any) -> Config:
    given = {"account_sid": SID, "auth_token": TOKEN, "api_url": url, "timeout": 2, "sms": SMS}
    return Config.model_validate(given | changes)


def look(settings: Config) -> Reading:
    (probe,) = firstcause_twilio.firstcause_probes(settings)
    return probe.check()


def notifier_of(settings: Config) -> Notifier:
    (notifier,) = firstcause_twilio.firstcause_notifiers(settings)
    return notifier


def send(settings: Config, notice: Notification = NOTICE) -> str | None:
    return notifier_of(settings).send(notice)


def test_an_active_account_is_up(twilio: FakeTwilio) -> None:
    reading = look(config(twilio.url))
    assert (reading.status, reading.code) == (Status.UP, None)
    assert reading.latency_ms is not None


def test_wrong_credentials_are_down_with_twilios_own_words(twilio: FakeTwilio) -> None:
    reading = look(config(twilio.url, auth_token="wrong-token-wrong"))
    assert (reading.status, reading.code) == (Status.DOWN, "TWILIO_API_FAILURE")
    assert "20003" in reading.detail
    assert "wrong-token" not in reading.detail


def test_a_suspended_account_is_down(twilio: FakeTwilio) -> None:
    twilio.add_account(SID, TOKEN, [], status="suspended")
    assert look(config(twilio.url)).detail == "the account is suspended"


def test_the_applications_file_is_read_at_every_look(twilio: FakeTwilio, tmp_path: Path) -> None:
    env = tmp_path / "app.env"
    settings = config(twilio.url, env_file=str(env))
    assert look(settings).detail == "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN not set in app.env"
    env.write_text(f"TWILIO_ACCOUNT_SID={SID}\n")
    assert look(settings).detail == "TWILIO_AUTH_TOKEN not set in app.env"
    env.write_text(f"TWILIO_ACCOUNT_SID={SID}\nTWILIO_AUTH_TOKEN={TOKEN}\n")
    assert look(settings).status is Status.UP


def test_nobody_there_and_nobody_answering() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        hanging = look(config(url, timeout=0.3))
    refused = look(config(url))
    assert (hanging.detail, refused.detail) == (
        "Twilio is not reached: ReadTimeout: no answer in time",
        "Twilio is not reached: ConnectionError: Connection refused",
    )
    for reading in (hanging, refused):
        assert reading.status is Status.DOWN
        assert reading.detail.startswith("Twilio is not reached: ")


def test_the_balance_and_the_number_that_it_sends_from(twilio: FakeTwilio, tmp_path: Path) -> None:
    well = look(config(twilio.url, number="+15005550006"))
    assert (well.status, well.data) == (Status.UP, {"balance_left": 25.0})
    low = look(config(twilio.url, min_balance=30))
    assert (low.status, low.code) == (Status.DEGRADED, "TWILIO_BALANCE_LOW")
    assert low.detail == "25.00 USD left, less than 30"
    env = tmp_path / "app.env"
    env.write_text(f"TWILIO_ACCOUNT_SID={SID}\nTWILIO_AUTH_TOKEN={TOKEN}\nTWILIO_PHONE_NUMBER=+15005559999\n")
    other = look(config(twilio.url, env_file=str(env)))
    assert (other.status, other.code) == (Status.DOWN, "TWILIO_FROM_NUMBER_NOT_OWNED")
    twilio.add_account(SID, TOKEN, ["+15005550006"], balance=None)
    assert look(config(twilio.url)).data == {}, "a subaccount has no balance of its own"


def test_slow_is_degraded(twilio: FakeTwilio) -> None:
    assert look(config(twilio.url, degraded_ms=0.001)).status is Status.DEGRADED


def test_an_sms_says_the_text_and_gives_twilios_id(twilio: FakeTwilio) -> None:
    assert send(config(twilio.url)) == f"SM{1:032x}"
    (message,) = twilio.messages
    assert (message.from_, message.to, message.body) == ("+15005550006", "+15005550020", "CRITICAL: x #7")


@pytest.mark.parametrize(
    ("status", "code", "permanent"),
    [(400, 21211, True), (401, 20003, True), (429, 20429, False), (500, 20500, False)],
)
def test_which_refusals_are_final(twilio: FakeTwilio, status: int, code: int, permanent: bool) -> None:
    twilio.fail_next(status, code, "because")
    with pytest.raises(DeliveryError, match=f"Twilio {code}: .*because") as caught:
        send(config(twilio.url))
    assert caught.value.permanent is permanent
    assert TOKEN not in str(caught.value)


def test_a_second_try_tells_only_who_was_not_told(twilio: FakeTwilio) -> None:
    sms = {
        "account_sid": SID,
        "auth_token": TOKEN,
        "from_number": "+15005550006",
        "to": ["+15005550020", "+15005550021"],
    }
    (notifier,) = firstcause_twilio.firstcause_notifiers(config(twilio.url, sms=sms))
    twilio.fail_next(500, 20500, "try later")
    with pytest.raises(DeliveryError, match="1 of 2 numbers"):
        notifier.send(NOTICE)
    notifier.send(NOTICE)
    assert [message.to for message in twilio.messages] == ["+15005550021", "+15005550020"]
    notifier.send(NOTICE.model_copy(update={"id": "12-2", "reason": NotifyReason.RESOLVED}))
    assert len(twilio.messages) == 4, "the end is another message"


def test_it_stands_on_twilio_only_with_the_applications_own_account(twilio: FakeTwilio) -> None:
    (same,) = firstcause_twilio.firstcause_notifiers(config(twilio.url))
    (other,) = firstcause_twilio.firstcause_notifiers(config(twilio.url, account_sid="AC" + "b2" * 16))
    assert [set(each.depends_on) for each in (same, other)] == [{"twilio"}, set()]


def test_without_settings_it_offers_nothing() -> None:
    assert list(firstcause_twilio.firstcause_probes(Config())) == []
    assert list(firstcause_twilio.firstcause_notifiers(Config())) == []


def test_a_hundred_at_once(twilio: FakeTwilio) -> None:
    (notifier,) = firstcause_twilio.firstcause_notifiers(config(twilio.url))
    notices = [NOTICE.model_copy(update={"id": str(number)}) for number in range(100)]
    threads = [threading.Thread(target=notifier.send, args=(notice,)) for notice in notices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(twilio.messages) == 100


# What became of a message


def in_doubt(settings: Config, twilio: FakeTwilio, notice: Notification = NOTICE) -> DeliveryError:
    """Send while Twilio takes the message and does not answer in time."""
    release = threading.Event()
    twilio.hold_answers(release)
    try:
        with pytest.raises(DeliveryError, match="Twilio is not reached: ReadTimeout") as caught:
            send(settings, notice)
    finally:
        release.set()
    return caught.value


def again(notice: Notification = NOTICE, **changes: Any) -> Notification:
    """The notification that the engine gives to find_sent: composed anew, with what was tried before."""
    attempted = {"attempted_texts": (notice.text,), "attempted_at": datetime.now(UTC) - timedelta(seconds=5)}
    return notice.model_copy(update={"text": f"{notice.text} (may repeat)", **attempted, **changes})


def test_a_message_that_twilio_took_and_answered_late_is_found(twilio: FakeTwilio) -> None:
    settings = config(twilio.url, timeout=0.3)
    error = in_doubt(settings, twilio)
    assert (error.maybe_delivered, error.permanent, len(twilio.messages)) == (True, False, 1)
    restarted = notifier_of(config(twilio.url))
    assert restarted.find_sent is not None
    assert restarted.find_sent(again()) == twilio.messages[0].sid


@pytest.mark.parametrize("text", ["Sent from your Twilio trial account - CRITICAL: x #7"])
def test_a_trial_accounts_sentence_does_not_hide_a_message(twilio: FakeTwilio, text: str) -> None:
    send(config(twilio.url), NOTICE.model_copy(update={"text": text}))
    found = notifier_of(config(twilio.url)).find_sent
    assert found is not None
    assert found(again()) == twilio.messages[0].sid


@pytest.mark.parametrize(
    "changes",
    [
        {"attempted_texts": ("CRITICAL: y #8",), "text": "CRITICAL: y #8"},
        {"attempted_at": datetime.now(UTC) + timedelta(hours=1)},
        {"attempted_at": None},
    ],
)
def test_another_message_is_not_taken_for_it(twilio: FakeTwilio, changes: dict[str, Any]) -> None:
    send(config(twilio.url))
    found = notifier_of(config(twilio.url)).find_sent
    assert found is not None
    assert found(again(**changes)) is None


def test_a_message_that_a_carrier_refused_has_not_arrived(twilio: FakeTwilio) -> None:
    send(config(twilio.url))
    twilio.set_status(twilio.messages[0].sid, "undelivered", 30007)
    found = notifier_of(config(twilio.url)).find_sent
    assert found is not None
    assert found(again()) is None


def test_of_two_numbers_only_the_one_without_the_message_gets_it(twilio: FakeTwilio) -> None:
    sms = SMS | {"to": ["+15005550020", "+15005550021"]}
    send(config(twilio.url))
    both = notifier_of(config(twilio.url, sms=sms))
    assert both.find_sent is not None
    assert both.find_sent(again()) is None
    assert both.send(again()) == f"{twilio.messages[0].sid}, {twilio.messages[1].sid}"
    assert [message.to for message in twilio.messages] == ["+15005550020", "+15005550021"]


@pytest.mark.parametrize(
    ("status", "doubtful"), [(500, True), (502, True), (503, False), (429, False), (400, False)]
)
def test_which_answers_leave_it_in_doubt(twilio: FakeTwilio, status: int, doubtful: bool) -> None:
    twilio.fail_next(status, 20500, "because")
    with pytest.raises(DeliveryError) as caught:
        send(config(twilio.url))
    assert caught.value.maybe_delivered is doubtful
    away = config("http://127.0.0.1:9")
    with pytest.raises(DeliveryError) as refused:
        send(away)
    assert not refused.value.maybe_delivered


@pytest.mark.parametrize("wait", ["30", "Wed, 21 Oct 2026 07:28:00 GMT", None])
@pytest.mark.parametrize(("status", "code"), [(429, 20429), (400, 20429), (503, 20503)])
def test_the_wait_that_twilio_asks_for_is_handed_on(
    twilio: FakeTwilio, status: int, code: int, wait: str | None
) -> None:
    twilio.fail_next(status, code, "Too Many Requests", wait)
    with pytest.raises(DeliveryError) as caught:
        send(config(twilio.url))
    assert (caught.value.retry_after, caught.value.permanent) == (wait, False)


def test_receivers_that_have_it_are_named_in_the_error(twilio: FakeTwilio) -> None:
    sms = SMS | {"to": ["+15005550020", "no number"]}
    with pytest.raises(DeliveryError) as caught:
        send(config(twilio.url, sms=sms))
    assert (caught.value.receipts, caught.value.permanent) == (
        {"+15005550020": twilio.messages[0].sid}, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "error_code", "state", "said"),
    [
        ("queued", None, DeliveryState.PENDING, None),
        ("sent", None, DeliveryState.PENDING, None),
        ("delivered", None, DeliveryState.DELIVERED, None),
        ("undelivered", 30007, DeliveryState.FAILED, "Twilio 30007: the message is undelivered"),
        ("failed", 30008, DeliveryState.FAILED, "Twilio 30008: the message is failed"),
        ("canceled", None, DeliveryState.FAILED, "Twilio: the message is canceled"),
    ],
)
def test_what_became_of_a_message(
    twilio: FakeTwilio, status: str, error_code: int | None, state: DeliveryState, said: str | None
) -> None:
    notifier = notifier_of(config(twilio.url))
    reference = notifier.send(NOTICE)
    assert reference is not None
    twilio.set_status(reference, status, error_code)
    assert notifier.check_delivery is not None
    assert notifier.check_delivery(reference) == DeliveryReport(state, said)


def test_one_number_that_a_carrier_refused_counts(twilio: FakeTwilio) -> None:
    notifier = notifier_of(config(twilio.url, sms=SMS | {"to": ["+15005550020", "+15005550021"]}))
    reference = notifier.send(NOTICE)
    assert reference is not None
    assert notifier.check_delivery is not None
    twilio.set_status(twilio.messages[0].sid, "delivered")
    assert notifier.check_delivery(reference).state is DeliveryState.PENDING
    twilio.set_status(twilio.messages[1].sid, "undelivered", 30007)
    report = notifier.check_delivery(reference)
    assert report == DeliveryReport(
        DeliveryState.FAILED, "Twilio 30007: the message is undelivered (1 of 2 numbers)"
    )


def test_an_address_that_swallows_does_not_hold_up_an_sms(
    twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(twilio.url.rpartition(":")[2])
    with resolve_to_swallowing_first("api.twilio.example", port, monkeypatch):
        began = time.monotonic()
        send(config(f"http://api.twilio.example:{port}", timeout=20))
        assert time.monotonic() - began < 15
    assert len(twilio.messages) == 1


def test_a_twilio_behind_tls_must_have_a_certificate_that_somebody_vouches_for(tmp_path: Path) -> None:
    authority = Authority("Root", 90)
    (tmp_path / "ca.pem").write_text(authority.pem)
    context = authority.make_server_context(tmp_path, 90)
    created = json.dumps({"sid": "SM1", "status": "queued"}).encode()
    with run_web_server(lambda _handler, _body: (201, {}, created), context) as url:
        settings = config(url.removesuffix("/x"))
        with pytest.raises(DeliveryError, match="certificate verify failed") as caught:
            send(settings)
        assert not caught.value.maybe_delivered
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
            assert send(settings) == "SM1"


# Who sends


@pytest.mark.parametrize(
    "sender", ["+15005550006", "MG" + "0aB1" * 8, "12345", "ACME Ops", "a", "3COM", "A-1_b&c+d"]
)
def test_who_may_send_messages(twilio: FakeTwilio, sender: str) -> None:
    twilio.add_account(SID, TOKEN, [sender])
    settings = config(twilio.url, sms=SMS | {"from_number": sender}, number=sender)
    reference = send(settings)
    assert twilio.messages[0].from_ == sender
    found = notifier_of(settings).find_sent
    assert found is not None
    assert found(again()) == reference
    assert look(settings).status is Status.UP


@pytest.mark.parametrize(
    "sender", ["", "+1", "12", "123456789", "more than eleven", "a\nb", "15005550006", "ünïcode"]
)
def test_who_may_not(sender: str) -> None:
    with pytest.raises(ValidationError, match=r"no sender of messages; give a phone number|at least"):
        config("http://127.0.0.1", sms=SMS | {"from_number": sender})


def test_only_a_phone_number_can_call() -> None:
    with pytest.raises(ValidationError):
        calling("http://127.0.0.1", from_number="ACME Ops")


# Calls


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("ringing", DeliveryState.PENDING),
        ("completed", DeliveryState.DELIVERED),
        ("no-answer", DeliveryState.FAILED),
        ("busy", DeliveryState.FAILED),
    ],
)
def test_what_became_of_a_call(twilio: FakeTwilio, status: str, state: DeliveryState) -> None:
    notifier = notifier_of(calling(twilio.url))
    reference = notifier.send(NOTICE)
    assert reference is not None
    twilio.set_status(reference, status)
    assert notifier.check_delivery is not None
    report = notifier.check_delivery(reference)
    assert report.state is state
    assert (report.error or status).endswith(status)
    # Twilio does not tell what a call said.
    assert notifier.find_sent is None


def calling(url: str, **call: Any) -> Config:
    number = {"account_sid": SID, "auth_token": TOKEN, "from_number": "+15005550006", "to": ["+15005550020"]}
    return config(url, sms=None, call=number | call)


def test_a_call_says_the_text_twice_whatever_is_in_it(twilio: FakeTwilio) -> None:
    text = "CRITICAL: <Hangup/> & 'more' \x00\x1b \u00e9 #7"
    settings = calling(twilio.url, language="en-GB", voice="Polly.Amy")
    assert send(settings, NOTICE.model_copy(update={"text": text})) == f"CA{1:032x}"
    (call,) = twilio.calls
    assert (call.from_, call.to) == ("+15005550006", "+15005550020")
    response = ET.fromstring(call.twiml)
    assert [verb.tag for verb in response] == ["Say", "Pause", "Say"]
    for say in response.findall("Say"):
        assert " ".join((say.text or "").split()) == "CRITICAL: <Hangup/> & 'more' \u00e9 #7"
        assert say.attrib == {"language": "en-GB", "voice": "Polly.Amy"}


def test_a_call_without_language_and_voice_leaves_them_to_twilio(twilio: FakeTwilio) -> None:
    send(calling(twilio.url))
    say = ET.fromstring(twilio.calls[0].twiml)[0]
    assert (say.text, say.attrib) == ("CRITICAL: x #7", {})


def test_a_call_that_is_refused_or_fails_in_part(twilio: FakeTwilio) -> None:
    with pytest.raises(DeliveryError, match="Twilio 21210: ") as caught:
        send(calling(twilio.url, from_number="+15005550007"))
    assert caught.value.permanent
    (notifier,) = firstcause_twilio.firstcause_notifiers(
        calling(twilio.url, to=["+15005550020", "+15005550021"])
    )
    twilio.fail_next(503, 20503, "busy")
    with pytest.raises(DeliveryError, match=r"busy \(1 of 2 numbers\)") as caught:
        notifier.send(NOTICE)
    assert not caught.value.permanent
    notifier.send(NOTICE)
    assert [call.to for call in twilio.calls] == ["+15005550021", "+15005550020"]


def test_sms_and_calls_are_two_notifiers_and_a_call_must_be_asked_for(twilio: FakeTwilio) -> None:
    sms = config(twilio.url).sms
    offered = firstcause_twilio.firstcause_notifiers(calling(twilio.url).model_copy(update={"sms": sms}))
    assert [(each.name, each.default) for each in offered] == [("twilio-sms", True), ("twilio-call", False)]
    assert all(each.depends_on == {"twilio"} for each in offered)
