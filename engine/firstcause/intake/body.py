"""Takes the compression off a body, and never makes more of it than is allowed."""

from __future__ import annotations

import zlib

from firstcause.errors import IntakeError

_GZIP = 16 + zlib.MAX_WBITS
_HEADER = 0x0F
_DEFLATE = 8


def decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding (gzip, deflate, identity). IntakeError 400, 413 or 415."""
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip" | "x-gzip":
            plain = _inflated(body, _GZIP, limit)
        case "deflate":
            # RFC 9110 means zlib's format; some send the bare stream.
            zlib_format = bool(body) and body[0] & _HEADER == _DEFLATE
            plain = _inflated(body, zlib.MAX_WBITS if zlib_format else -zlib.MAX_WBITS, limit)
        case other:
            msg = f"Content-Encoding {other[:40]!r} is not known here; use gzip, deflate or none"
            raise IntakeError(msg, 415)
    if len(plain) > limit:
        raise too_large(limit)
    return plain


def too_large(limit: int) -> IntakeError:
    return IntakeError(f"the request is over {limit} bytes; send it in parts", 413)


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    plain, left = b"", body
    while left:
        # A gzip file may be several one after the other.
        stream = zlib.decompressobj(window)
        try:
            plain += stream.decompress(left, limit + 1 - len(plain))
        except zlib.error as error:
            msg = f"the body is not compressed as Content-Encoding says: {error}"
            raise IntakeError(msg) from None
        if len(plain) > limit:
            raise too_large(limit)
        if not stream.eof:
            msg = "the compressed body is cut off"
            raise IntakeError(msg)
        left = stream.unused_data
    return plain
