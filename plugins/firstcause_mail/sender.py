"""Hands a mail to the server, and tells apart what trying again can mend."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from firstcause import Delivered, DeliveryError
from firstcause_mail.letter import letter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from email.message import EmailMessage

    from firstcause import Notification
    from firstcause_mail.config import Config

_PERMANENT = range(500, 600)
_BUSY = 421
_LONGEST = 200

Refused = dict[str, tuple[int, bytes]]


class Sender:
    """Sends one mail to all receivers; remembers who of them has it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._delivered = Delivered()

    def send(self, notification: Notification) -> str:
        """Returns the Message-ID. DeliveryError where a receiver did not get it; the others have it then."""
        config = self._config
        told = self._delivered.of(notification)
        waiting = [address for address in config.to if address not in told]
        if waiting:
            mail = letter(notification, str(config.from_address), config.to, datetime.now(UTC))
            refused = self._hand_over(mail, waiting)
            told.update({address: str(mail["Message-ID"]) for address in waiting if address not in refused})
            if refused:
                raise _refusal(refused, len(config.to))
        return ", ".join(dict.fromkeys(told.values()))

    def _hand_over(self, mail: EmailMessage, receivers: Sequence[str]) -> Refused:
        """Whom the server refused, with its words. DeliveryError where the mail itself was not taken."""
        try:
            with session(self._config) as server:
                return server.sendmail(str(self._config.from_address), receivers, mail.as_bytes())
        except smtplib.SMTPRecipientsRefused as error:
            # A server that hangs up in the middle has said nothing of those who come later.
            return {address: error.recipients.get(address, (_BUSY, b"")) for address in receivers}
        except OSError as error:
            raise _failure(error) from error


@contextlib.contextmanager
def session(config: Config) -> Iterator[smtplib.SMTP]:
    """A conversation with the server, encrypted and logged in as configured."""
    host, port = config.server
    context = ssl.create_default_context(cadata=config.ca)
    if config.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, port, _own_name(), timeout=config.timeout, context=context
        )
    else:
        server = smtplib.SMTP(host, port, _own_name(), timeout=config.timeout)
    try:
        if config.security == "starttls":
            server.starttls(context=context)
        if config.username is not None and config.password is not None:
            server.login(config.username, config.password.get_secret_value())
        yield server
    finally:
        # What the server says to a goodbye changes nothing: a mail that it took is on its way.
        with contextlib.suppress(OSError):
            server.quit()
        server.close()


def _own_name() -> str:
    """For EHLO. Python would ask the DNS for it, which may be what is broken, and has no time limit."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def _refusal(refused: Mapping[str, tuple[int, bytes]], receivers: int) -> DeliveryError:
    passing = {address: said for address, said in refused.items() if said[0] not in _PERMANENT}
    address, (code, words) = next(iter((passing or refused).items()))
    whom = f" ({len(refused)} of {receivers} receivers)" if receivers > 1 else ""
    said = f"the mail server refuses {address}: {code} {_words(words)}".rstrip()
    return DeliveryError(f"{said}{whom}", permanent=not passing)


def _failure(error: OSError) -> DeliveryError:
    if isinstance(error, smtplib.SMTPResponseException):
        what = "refuses the login" if isinstance(error, smtplib.SMTPAuthenticationError) else "refuses"
        said = f"the mail server {what}: {error.smtp_code} {_words(error.smtp_error)}".rstrip()
        return DeliveryError(said, permanent=error.smtp_code in _PERMANENT)
    if isinstance(error, ssl.SSLCertVerificationError):
        return DeliveryError(f"the mail server's certificate: {error.verify_message}", permanent=True)
    if isinstance(error, smtplib.SMTPException) and not isinstance(error, smtplib.SMTPServerDisconnected):
        # It cannot do what is configured: no STARTTLS, no way to log in.
        return DeliveryError(f"the mail server: {_words(error)}", permanent=True)
    return DeliveryError(f"the mail server cannot be reached: {type(error).__name__}: {_words(error)}")


def _words(said: object) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return " ".join(text.split())[:_LONGEST]
