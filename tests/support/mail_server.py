"""A mail server on loopback: a real one, with a certificate made for it and answers that tests set."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

    from aiosmtpd.smtp import Envelope, Session


@dataclass(frozen=True)
class Certificate:
    """For 127.0.0.1. ca: in PEM, for who shall trust it. context: for the server."""

    ca: str
    context: ssl.SSLContext


def make_certificate(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return Certificate(pem.decode(), context)


@dataclass(frozen=True)
class ReceivedMail:
    """A mail that was taken. to: the envelope's receivers; raw: as it came."""

    sender: str
    to: list[str]
    raw: bytes
    encrypted: bool
    login: bytes | None

    @property
    def mail(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)


@dataclass
class ScriptedReplies:
    """What the server says in place of yes. receivers: by address; of the others each is said once."""

    receivers: dict[str, str] = field(default_factory=dict)
    mail: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    quit: list[str] = field(default_factory=list)


class MailServer:
    """Serves while its `with` block lasts. got: the mails taken. accounts: names and passwords."""

    def __init__(self, tls: Certificate | None = None, *, implicit: bool = False, **accounts: str) -> None:
        self.received: list[ReceivedMail] = []
        self.answers = ScriptedReplies()
        self.connections = 0
        self._accounts = accounts
        self._starttls = tls.context if tls is not None and not implicit else None
        self._implicit = tls.context if tls is not None and implicit else None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(self._start_server(), self._loop).result(10)
        self.port = server.sockets[0].getsockname()[1]
        self._server = server
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop_server(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start_server(self) -> asyncio.Server:
        return await self._loop.create_server(self._create_session, "127.0.0.1", 0, ssl=self._implicit)

    async def _stop_server(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _create_session(self) -> SMTP:
        self.connections += 1
        return SMTP(
            self,
            hostname="mail.test",
            tls_context=self._starttls,
            authenticator=self._authenticate if self._accounts else None,
            auth_require_tls=self._implicit is None,
            loop=self._loop,
        )

    def _authenticate(
        self, _smtp: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, credentials: Any
    ) -> AuthResult:
        assert isinstance(credentials, LoginPassword)
        password = self._accounts.get(credentials.login.decode())
        accepted = password is not None and password.encode() == credentials.password
        return AuthResult(success=accepted, handled=False, auth_data=credentials)

    # What aiosmtpd asks

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answers.mail:
            return self.answers.mail.pop(0)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.answers.receivers:
            return self.answers.receivers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers.data:
            return self.answers.data.pop(0)
        assert isinstance(envelope.content, bytes)
        login = session.auth_data.login if isinstance(session.auth_data, LoginPassword) else None
        self.received.append(
            ReceivedMail(
                str(envelope.mail_from),
                list(envelope.rcpt_tos),
                envelope.content,
                session.ssl is not None or self._implicit is not None,
                login,
            )
        )
        return "250 queued"

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:
        return self.answers.quit.pop(0) if self.answers.quit else "221 Bye"
