"""Takes the compression off a body, and never makes more of it than is allowed."""

from __future__ import annotations

import zlib

import brotli
import zstandard

from firstcause.errors import IntakeError

_GZIP = 16 + zlib.MAX_WBITS
_HEADER = 0x0F
_DEFLATE = 8

_WINDOW = 8 << 20
"""What a zstd frame may make us remember at most; RFC 8878 asks for no more of a receiver."""

_BITE = 256
"""Bytes of zstd at a time: it has no limit of output, and four bytes may become 128 KiB."""


def decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding: gzip, deflate, br, zstd or none. IntakeError 400, 413 or 415."""
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip" | "x-gzip":
            plain = _inflated(body, _GZIP, limit)
        case "deflate":
            # RFC 9110 means zlib's format; some send the bare stream.
            zlib_format = bool(body) and body[0] & _HEADER == _DEFLATE
            plain = _inflated(body, zlib.MAX_WBITS if zlib_format else -zlib.MAX_WBITS, limit)
        case "br":
            plain = _of_brotli(body, limit)
        case "zstd":
            plain = _of_zstd(body, limit)
        case other:
            msg = f"Content-Encoding {other[:40]!r} is not known here; use gzip, deflate, br, zstd or none"
            raise IntakeError(msg, 415)
    if len(plain) > limit:
        raise too_large(limit)
    return plain


def too_large(limit: int) -> IntakeError:
    return IntakeError(f"the request is over {limit} bytes; send it in parts", 413)


def _of_brotli(body: bytes, limit: int) -> bytes:
    stream = brotli.Decompressor()
    try:
        plain: bytes = stream.process(body, output_buffer_limit=limit + 1)
        # The limit is where it pauses, not where it ends.
        while len(plain) <= limit and not stream.can_accept_more_data():
            plain += stream.process(b"", output_buffer_limit=limit + 1 - len(plain))
    except brotli.error as error:
        raise _not_so(error) from None
    if len(plain) > limit:
        raise too_large(limit)
    if not stream.is_finished():
        raise _cut_off()
    return plain


def _of_zstd(body: bytes, limit: int) -> bytes:
    plain, left = b"", body
    while left:
        # Several frames may follow each other.
        stream = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
        at = 0
        try:
            while at < len(left) and not stream.eof:
                plain += stream.decompress(left[at : at + _BITE])
                at += _BITE
                if len(plain) > limit:
                    raise too_large(limit)
        except zstandard.ZstdError as error:
            raise _not_so(error) from None
        if not stream.eof:
            raise _cut_off()
        left = stream.unused_data + left[at:]
    return plain


def _not_so(error: Exception) -> IntakeError:
    return IntakeError(f"the body is not compressed as Content-Encoding says: {error}")


def _cut_off() -> IntakeError:
    return IntakeError("the compressed body is cut off")


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    plain, left = b"", body
    while left:
        # A gzip file may be several one after the other.
        stream = zlib.decompressobj(window)
        try:
            plain += stream.decompress(left, limit + 1 - len(plain))
        except zlib.error as error:
            raise _not_so(error) from None
        if len(plain) > limit:
            raise too_large(limit)
        if not stream.eof:
            raise _cut_off()
        left = stream.unused_data
    return plain
