"""A server's certificate for 127.0.0.1 behind two authorities, each with an end of its own."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

_ADDRESS = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])


class Authority:
    """Signs certificates. Without an issuer it signs itself."""

    def __init__(self, name: str, days: float, issuer: Authority | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        extension = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = (issuer or self)._sign(self._key, self._name, days, extension)
        self._chain: list[x509.Certificate] = []
        if issuer is not None:
            self._chain = [self.certificate, *issuer._chain]

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def make_server_context(self, folder: Path, days: float) -> ssl.SSLContext:
        """For a server on 127.0.0.1."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.write_server_certificate(folder, days))
        return context

    def write_server_certificate(self, folder: Path, days: float) -> Path:
        """A file with key and certificate for 127.0.0.1, and the authorities below the root."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        certificate = self._sign(key, name, days, _ADDRESS)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = [certificate, *self._chain]
        path = folder / f"server-{certificate.serial_number}.pem"
        path.write_bytes(private + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain))
        return path

    def _sign(
        self, key: ec.EllipticCurvePrivateKey, name: x509.Name, days: float, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        built = x509.CertificateBuilder(self._name, name, key.public_key(), x509.random_serial_number())
        dated = built.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=days))
        return dated.add_extension(extension, critical=False).sign(self._key, hashes.SHA256())
