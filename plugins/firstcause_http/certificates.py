"""When the certificates of a connection end: the server's own, and those that vouch for it."""

from __future__ import annotations

import ssl
from typing import Any


def find_first_to_expire(connection: ssl.SSLObject, host: str) -> tuple[float, str]:
    """The end (Unix time) of that certificate of the chain which ends first, and what it is called."""
    certificates = _read_chain(connection)
    index, certificate = min(enumerate(certificates), key=lambda entry: _read_end(entry[1]))
    if index == 0:
        return _read_end(certificate), f"the certificate of {host}"
    name = _read_subject(certificate)
    return _read_end(certificate), f"the authority's certificate {name!r} behind {host}"


def _read_chain(connection: ssl.SSLObject) -> list[dict[str, Any]]:
    """The verified chain, the server's own certificate first."""
    own = connection.getpeercert() or {}
    # Public from Python 3.13 on, and there in certificates' bytes; this is the same in all versions.
    inner: Any = connection._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
    chain = inner.get_verified_chain() or ()
    return [own, *(certificate.get_info() for certificate in list(chain)[1:])]


def _read_end(certificate: dict[str, Any]) -> float:
    return float(ssl.cert_time_to_seconds(certificate["notAfter"]))


def _read_subject(certificate: dict[str, Any]) -> str:
    fields = dict(pair for part in certificate.get("subject", ()) for pair in part)
    return str(fields.get("commonName") or fields.get("organizationName") or "without a name")
