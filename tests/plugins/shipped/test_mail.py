"""mail against a real SMTP server on loopback."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import firstcause_mail
from firstcause import DeliveryError, Notification, NotifyReason, Priority, Severity
from firstcause_mail.message import build_message
from support.mail_server import Certificate, MailServer, make_certificate
from support.swallowing_address import resolve_to_swallowing_first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firstcause import Notifier

OPENED = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
NOTICE = Notification(
    id="12-1",
    incident_id="12", reason=NotifyReason.FIRST, priority=Priority.P0, severity=Severity.CRITICAL,
    code="X", title="Twilio API connection failed", text="CRITICAL: Twilio API connection failed. P0 #12",
    body="all of it, größer\n.\nFrom here", opened_at=OPENED,
)  # fmt: skip
OVER = NOTICE.model_copy(
    update={"id": "12-2", "reason": NotifyReason.RESOLVED, "text": "RESOLVED: Twilio, after 4 min #12"}
)
ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


def mailer(port: int, **changes: Any) -> Notifier:
    table = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "from_address": "firstcause@example.com",
        "to": [ANN],
        "timeout": 3,
    }
    (notifier,) = firstcause_mail.firstcause_notifiers(firstcause_mail.Config.model_validate(table | changes))
    return notifier


def refused(notifier: Notifier, notice: Notification = NOTICE) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        notifier.send(notice)
    assert "\n" not in str(caught.value)
    return caught.value


# The mail


def test_a_mail_has_all_that_a_mail_program_needs(server: MailServer) -> None:
    reference = mailer(server.port, to=[ANN, BOB]).send(NOTICE)
    (letter,) = server.received
    mail = letter.mail
    assert (letter.sender, letter.to) == ("firstcause@example.com", [ANN, BOB])
    assert mail["Subject"] == "[P0] CRITICAL: Twilio API connection failed (#12)"
    assert (mail["From"], mail["To"]) == ("firstcause <firstcause@example.com>", f"{ANN}, {BOB}")
    assert (mail["Auto-Submitted"], mail["X-Firstcause-Incident"]) == ("auto-generated", "12")
    assert abs((parsedate_to_datetime(mail["Date"]) - datetime.now(UTC)).total_seconds()) < 60
    assert (mail.get_content_type(), mail.get_content_charset()) == ("text/plain", "utf-8")
    assert mail.get_content().replace("\r\n", "\n") == "all of it, größer\n.\nFrom here\n"
    assert mail["Message-ID"] == reference
    assert str(reference).endswith("@example.com>")


def test_all_mails_of_an_incident_are_one_thread_also_after_a_restart(server: MailServer) -> None:
    mailer(server.port).send(NOTICE)
    restarted = mailer(server.port)
    restarted.send(NOTICE.model_copy(update={"id": "12-3", "reason": NotifyReason.NEW_ROOT, "code": "Y"}))
    restarted.send(OVER)
    first, news, over = (letter.mail for letter in server.received)
    for each in (first, news, over):
        assert each["In-Reply-To"] == each["References"] == first["References"]
    assert len({each["Message-ID"] for each in (first, news, over)} | {first["References"]}) == 4
    assert over["Subject"] == "[P0] RESOLVED: Twilio API connection failed (#12)"


def test_a_mail_keeps_its_id_over_retries_and_a_reopened_incident_has_new_mails(server: MailServer) -> None:
    for notice in (NOTICE, OVER):
        for _restart in range(2):
            mailer(server.port).send(notice)
    back = NOTICE.model_copy(update={"id": "12-4", "incidents": ("12",)})
    mailer(server.port).send(back)
    first, repeated, over, over_again, returned = (letter.mail["Message-ID"] for letter in server.received)
    assert (first, over) == (repeated, over_again)
    assert len({first, over, returned}) == 3
    assert len({letter.mail["References"] for letter in server.received}) == 1


def test_the_same_number_in_a_new_store_is_another_thread(server: MailServer) -> None:
    mailer(server.port).send(NOTICE)
    mailer(server.port).send(NOTICE.model_copy(update={"opened_at": datetime(2027, 1, 1, tzinfo=UTC)}))
    assert len({letter.mail["Message-ID"] for letter in server.received}) == 2


def test_a_title_cannot_add_a_header_or_end_the_mail(server: MailServer) -> None:
    title = "x\r\nBcc: eve@example.org\r\n\r\n.\r\nQUIT"
    mailer(server.port).send(
        NOTICE.model_copy(update={"title": title, "body": "a\r\n.\r\nMAIL FROM:<eve>\r\n"})
    )
    (letter,) = server.received
    assert letter.to == [ANN]
    assert letter.mail["Bcc"] is None
    assert letter.mail["Subject"] == "[P0] CRITICAL: x Bcc: eve@example.org . QUIT (#12)"
    assert letter.mail.get_content().replace("\r\n", "\n") == "a\n.\nMAIL FROM:<eve>\n"


words = st.text(st.characters(), max_size=200)


@given(words, words, words)
def test_whatever_it_says_it_is_one_mail_in_ascii(title: str, text: str, body: str) -> None:
    notice = NOTICE.model_copy(update={"title": title, "text": text, "body": body})
    made = build_message(notice, "firstcause@example.com", [ANN], OPENED)
    raw = made.as_bytes()
    assert raw.isascii()
    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert len(names) == len(set(names)) == 12
    assert max(map(len, raw.split(b"\r\n"))) < 998


# The way there


@pytest.mark.parametrize("implicit", [False, True])
def test_it_goes_encrypted_and_logged_in(tls: Certificate, implicit: bool) -> None:
    with MailServer(tls, implicit=implicit, ops="s3cret-word") as server:
        security = "tls" if implicit else "starttls"
        mailer(server.port, security=security, ca=tls.ca, username="ops", password="s3cret-word").send(NOTICE)
    (letter,) = server.received
    assert (letter.encrypted, letter.login) == (True, b"ops")


def test_a_refused_login_is_final_and_shows_no_password(tls: Certificate) -> None:
    with MailServer(tls, ops="s3cret-word") as server:
        error = refused(
            mailer(server.port, security="starttls", ca=tls.ca, username="ops", password="wr0ng-word")
        )
    assert error.permanent
    assert str(error).startswith("the mail server refuses the login: 535 ")
    assert "wr0ng" not in str(error)
    assert server.received == []


def test_a_certificate_that_nobody_vouches_for_is_final(tls: Certificate) -> None:
    with MailServer(tls) as server:
        error = refused(mailer(server.port, security="starttls"))
    with MailServer(tls, implicit=True) as server:
        other = refused(mailer(server.port, security="tls"))
    assert error.permanent
    assert str(error) == str(other) == "the mail server's certificate: self-signed certificate"


def test_it_does_not_fall_back_to_the_clear(server: MailServer, tls: Certificate) -> None:
    error = refused(mailer(server.port, security="starttls", ca=tls.ca))
    assert (error.permanent, str(error)) == (
        True,
        "the mail server: STARTTLS extension not supported by server.",
    )
    with MailServer(tls) as without_accounts:
        error = refused(
            mailer(without_accounts.port, security="starttls", ca=tls.ca, username="a", password="b" * 8)
        )
    assert error.permanent
    assert server.received == without_accounts.received == []


# What goes wrong


@pytest.mark.parametrize(
    ("said", "permanent"), [("550 no such user", True), ("450 mailbox busy", False), ("421 bye", False)]
)
def test_a_receiver_who_is_refused(server: MailServer, said: str, permanent: bool) -> None:
    server.answers.receivers[ANN] = said
    error = refused(mailer(server.port))
    assert (error.permanent, str(error)) == (permanent, f"the mail server refuses {ANN}: {said}")


@pytest.mark.parametrize(
    ("said", "permanent"), [("554 looks like spam", True), ("451 try later", False), ("421 bye", False)]
)
def test_a_mail_that_is_refused(server: MailServer, said: str, permanent: bool) -> None:
    for command in (server.answers.mail, server.answers.data):
        command.append(said)
        error = refused(mailer(server.port))
        assert (error.permanent, str(error)) == (permanent, f"the mail server refuses: {said}")


def test_a_second_try_writes_only_to_who_was_refused(server: MailServer) -> None:
    notifier = mailer(server.port, to=[ANN, BOB])
    server.answers.receivers[BOB] = "452 too much mail"
    error = refused(notifier)
    assert (error.permanent, str(error)) == (
        False,
        f"the mail server refuses {BOB}: 452 too much mail (1 of 2 receivers)",
    )
    server.answers.receivers.clear()
    assert notifier.send(NOTICE) == server.received[0].mail["Message-ID"]
    assert [letter.to for letter in server.received] == [[ANN], [BOB]]
    assert notifier.send(NOTICE)
    assert len(server.received) == 2, "all have it"
    notifier.send(OVER)
    assert server.received[2].to == [ANN, BOB], "the end is another message"


def test_one_wrong_address_is_final_and_the_others_have_the_mail(server: MailServer) -> None:
    server.answers.receivers[ANN] = "550 no such user"
    error = refused(mailer(server.port, to=[ANN, BOB]))
    assert error.permanent
    assert [letter.to for letter in server.received] == [[BOB]]


def test_a_server_that_hangs_up_between_two_receivers_told_nobody(server: MailServer) -> None:
    server.answers.receivers[BOB] = "421 shutting down"
    notifier = mailer(server.port, to=[ANN, BOB, "cyd@example.org"])
    error = refused(notifier)
    assert (error.permanent, server.received) == (False, [])
    server.answers.receivers.clear()
    notifier.send(NOTICE)
    assert server.received[0].to == [ANN, BOB, "cyd@example.org"]


@pytest.mark.parametrize("stage", ["body", "rcpt"])
def test_a_server_that_ends_after_the_mail_may_have_it(stage: str) -> None:
    taken: list[bytes] = []

    def hang_up(listener: socket.socket) -> None:
        conn, _ = listener.accept()
        with conn, conn.makefile("rwb", buffering=0) as stream:
            stream.write(b"220 mx\r\n")
            while line := stream.readline():
                if stage.encode() in line.lower() or line == b".\r\n":
                    taken.append(line)
                    return
                if line.lower().startswith(b"data"):
                    stream.write(b"354 go\r\n")
                elif line[:4].lower() in {b"ehlo", b"mail", b"rcpt"}:
                    stream.write(b"250 ok\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up, args=(listener,))
        thread.start()
        error = refused(mailer(listener.getsockname()[1]))
        thread.join()
    assert len(taken) == 1
    assert (error.maybe_delivered, error.permanent) == (stage == "body", False)
    assert ("did not confirm the mail" in str(error)) == (stage == "body")


def test_an_address_that_swallows_does_not_hold_up_the_one_that_works(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with resolve_to_swallowing_first("mx.example", server.port, monkeypatch):
        began = time.monotonic()
        mailer(server.port, host="mx.example", timeout=20).send(NOTICE)
        assert time.monotonic() - began < 15
    assert len(server.received) == 1


def test_an_unfriendly_goodbye_is_no_failure(server: MailServer) -> None:
    server.answers.quit.append("421 you again")
    assert mailer(server.port).send(NOTICE)
    assert len(server.received) == 1


def test_nobody_there_and_nobody_answering() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for security in ("none", "starttls", "tls"):
            hanging = refused(mailer(port, security=security, timeout=0.2))
            assert not hanging.permanent
            assert str(hanging).startswith("the mail server cannot be reached: ")
            assert "timed out" in str(hanging)
    away = refused(mailer(port))
    assert (away.permanent, "ConnectionRefusedError" in str(away)) == (False, True)


@pytest.mark.parametrize(
    ("greeting", "permanent"), [(b"421 not now\r\n", False), (b"554 not you\r\n", True), (b"", False)]
)
def test_a_server_that_does_not_want_us(greeting: bytes, permanent: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=answer)
        thread.start()
        error = refused(mailer(listening.getsockname()[1]))
        thread.join()
    assert error.permanent is permanent


# Settings


def test_without_a_table_there_is_no_mail() -> None:
    assert firstcause_mail.firstcause_notifiers(firstcause_mail.Config()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"to": []}, "to missing"),
        ({"host": None, "from_address": None}, "host and from_address missing"),
        ({"username": "a"}, "username and password go together; give both or neither"),
        ({"username": "a", "password": "b", "security": "none"}, "sends the password in the clear"),
        ({"to": ["ann@example.org\r\nBcc: eve@example.org"]}, "should match pattern"),
        ({"to": ["Ann <ann@example.org>"]}, "should match pattern"),
        ({"from_address": "x@example.org\n"}, "should match pattern"),
        ({"security": "ssl"}, "'starttls', 'tls' or 'none'"),
        ({"username": "a", "password": "pässword"}, "username and password must be ASCII"),
        ({"ca": ""}, "no certificate in PEM"),
        ({"ca": "-----BEGIN NONSENSE-----"}, "no certificate in PEM"),
    ],
)
def test_a_wrong_table_is_told(changes: dict[str, Any], said: str) -> None:
    table = {"host": "mail.example.org", "from_address": "fc@example.org", "to": [ANN]}
    with pytest.raises(ValidationError, match=said):
        firstcause_mail.Config.model_validate(table | changes)


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_usual_port_goes_with_the_security(security: str, port: int) -> None:
    table = {"host": "mail.example.org", "from_address": "fc@example.org", "to": [ANN], "security": security}
    assert firstcause_mail.Config.model_validate(table).server == ("mail.example.org", port)
