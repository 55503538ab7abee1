"""Delivers a mail to the server, and tells errors that a retry can fix from permanent ones."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from firstcause import DeliveryError, DeliveryTracker, open_socket
from firstcause_mail.message import build_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from email.message import EmailMessage

    from firstcause import Notification
    from firstcause_mail.config import Config

_PERMANENT_CODES = range(500, 600)
_SERVICE_UNAVAILABLE = 421
_MAX_REPLY_LENGTH = 200

RefusedRecipients = dict[str, tuple[int, bytes]]


class Sender:
    """Sends one mail to all receivers; remembers who of them has it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._delivered = DeliveryTracker()

    def send(self, notification: Notification) -> str:
        """Returns the Message-ID. DeliveryError where a receiver did not get it; the others have it then."""
        config = self._config
        delivered = self._delivered.receipts_for(notification)
        pending = [address for address in config.to if address not in delivered]
        if pending:
            mail = build_message(notification, str(config.from_address), config.to, datetime.now(UTC))
            refused = self._submit_mail(mail, pending)
            delivered.update(
                {address: str(mail["Message-ID"]) for address in pending if address not in refused}
            )
            if refused:
                raise _build_refusal_error(refused, len(config.to), delivered)
        return ", ".join(dict.fromkeys(delivered.values()))

    def _submit_mail(self, mail: EmailMessage, receivers: Sequence[str]) -> RefusedRecipients:
        """Whom the server refused, with its words. DeliveryError where the mail itself was not taken."""
        try:
            with open_session(self._config) as server:
                try:
                    return server.sendmail(str(self._config.from_address), receivers, mail.as_bytes())
                except (smtplib.SMTPServerDisconnected, TimeoutError, ConnectionError) as error:
                    raise _translate_error(error, maybe_delivered=server.data_began) from error
        except smtplib.SMTPRecipientsRefused as error:
            # A server that closes the connection halfway has not answered for the remaining receivers.
            return {
                address: error.recipients.get(address, (_SERVICE_UNAVAILABLE, b"")) for address in receivers
            }
        except OSError as error:
            raise _translate_error(error) from error


class _Session(smtplib.SMTP):
    """data_began: whether the text of a mail was sent; from then on the server may have the mail."""

    data_began = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # Python would spend the whole time on the first address that swallows.
        return open_socket(host, port, timeout)

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.data_began = True
        return super().data(msg)


class _TlsSession(smtplib.SMTP_SSL, _Session):
    """A conversation that is encrypted from its beginning."""


@contextlib.contextmanager
def open_session(config: Config) -> Iterator[_Session]:
    """A conversation with the server, encrypted and logged in as configured."""
    host, port = config.server
    context = ssl.create_default_context(cafile=config.ca_file, cadata=config.ca)
    if config.security == "tls":
        server: _Session = _TlsSession(
            host, port, _choose_ehlo_name(), timeout=config.timeout, context=context
        )
    else:
        server = _Session(host, port, _choose_ehlo_name(), timeout=config.timeout)
    try:
        if config.security == "starttls":
            server.starttls(context=context)
        if config.username is not None and config.password is not None:
            server.login(config.username, config.password.get_secret_value())
        yield server
    finally:
        # The response to QUIT does not matter: a mail that the server accepted is on its way.
        with contextlib.suppress(OSError):
            server.quit()
        server.close()


def _choose_ehlo_name() -> str:
    """For EHLO. Python would ask the DNS for it, which may be what is broken, and has no time limit."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def _build_refusal_error(
    refused: Mapping[str, tuple[int, bytes]], receivers: int, delivered: Mapping[str, str]
) -> DeliveryError:
    retryable = {address: reply for address, reply in refused.items() if reply[0] not in _PERMANENT_CODES}
    address, (code, text) = next(iter((retryable or refused).items()))
    affected = f" ({len(refused)} of {receivers} receivers)" if receivers > 1 else ""
    message = f"the mail server refuses {address}: {code} {_format_reply(text)}".rstrip()
    return DeliveryError(f"{message}{affected}", permanent=not retryable, receipts=delivered)


def _translate_error(error: OSError, *, maybe_delivered: bool = False) -> DeliveryError:
    if isinstance(error, smtplib.SMTPResponseException):
        action = "refuses the login" if isinstance(error, smtplib.SMTPAuthenticationError) else "refuses"
        message = f"the mail server {action}: {error.smtp_code} {_format_reply(error.smtp_error)}".rstrip()
        return DeliveryError(message, permanent=error.smtp_code in _PERMANENT_CODES)
    if isinstance(error, ssl.SSLCertVerificationError):
        return DeliveryError(f"the mail server's certificate: {error.verify_message}", permanent=True)
    if isinstance(error, smtplib.SMTPException) and not isinstance(error, smtplib.SMTPServerDisconnected):
        # It cannot do what is configured: no STARTTLS, no way to log in.
        return DeliveryError(f"the mail server: {_format_reply(error)}", permanent=True)
    problem = "did not confirm the mail" if maybe_delivered else "cannot be reached"
    return DeliveryError(
        f"the mail server {problem}: {type(error).__name__}: {_format_reply(error)}",
        maybe_delivered=maybe_delivered,
    )


def _format_reply(reply: object) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
    return " ".join(text.split())[:_MAX_REPLY_LENGTH]
