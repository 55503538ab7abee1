"""Decompresses request bodies, never beyond the limit."""

from __future__ import annotations

import zlib

import brotli
import zstandard

from firstcause.errors import IntakeError

_GZIP_WBITS = 16 + zlib.MAX_WBITS
_METHOD_MASK = 0x0F
_DEFLATE_METHOD = 8

_MAX_WINDOW_BYTES = 8 << 20
"""The largest window of a zstd frame; RFC 8878 requires no more of a receiver."""

_CHUNK_SIZE = 256
"""Bytes of zstd that are decompressed at a time: its output has no limit, and 4 bytes may become 128 KiB."""


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a body.

    encoding: the header Content-Encoding: gzip, deflate, br, zstd or none. limit: bytes of the result.
    Raises IntakeError 400 for a corrupt body, 413 above the limit, 415 for another encoding.
    """
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip" | "x-gzip":
            plain = _inflate_zlib(body, _GZIP_WBITS, limit)
        case "deflate":
            # RFC 9110 means the format of zlib; some clients send the bare stream.
            zlib_format = bool(body) and body[0] & _METHOD_MASK == _DEFLATE_METHOD
            plain = _inflate_zlib(body, zlib.MAX_WBITS if zlib_format else -zlib.MAX_WBITS, limit)
        case "br":
            plain = _decompress_brotli(body, limit)
        case "zstd":
            plain = _decompress_zstd(body, limit)
        case other:
            msg = f"Content-Encoding {other[:40]!r} is not supported; use gzip, deflate, br, zstd or none"
            raise IntakeError(msg, 415)
    if len(plain) > limit:
        raise too_large_error(limit)
    return plain


def too_large_error(limit: int) -> IntakeError:
    return IntakeError(f"the request is over {limit} bytes; split it", 413)


def _decompress_brotli(body: bytes, limit: int) -> bytes:
    stream = brotli.Decompressor()
    try:
        plain: bytes = stream.process(body, output_buffer_limit=limit + 1)
        # At the limit the stream pauses; it may have more output.
        while len(plain) <= limit and not stream.can_accept_more_data():
            plain += stream.process(b"", output_buffer_limit=limit + 1 - len(plain))
    except brotli.error as error:
        raise _corrupt_body_error(error) from None
    if len(plain) > limit:
        raise too_large_error(limit)
    if not stream.is_finished():
        raise _truncated_body_error()
    return plain


def _decompress_zstd(body: bytes, limit: int) -> bytes:
    plain, remaining = b"", body
    while remaining:
        # A body may have several frames.
        stream = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
        position = 0
        try:
            while position < len(remaining) and not stream.eof:
                plain += stream.decompress(remaining[position : position + _CHUNK_SIZE])
                position += _CHUNK_SIZE
                if len(plain) > limit:
                    raise too_large_error(limit)
        except zstandard.ZstdError as error:
            raise _corrupt_body_error(error) from None
        if not stream.eof:
            raise _truncated_body_error()
        remaining = stream.unused_data + remaining[position:]
    return plain


def _corrupt_body_error(error: Exception) -> IntakeError:
    return IntakeError(f"the body does not match its Content-Encoding: {error}")


def _truncated_body_error() -> IntakeError:
    return IntakeError("the compressed body is incomplete")


def _inflate_zlib(body: bytes, wbits: int, limit: int) -> bytes:
    plain, remaining = b"", body
    while remaining:
        # A gzip body may have several members.
        stream = zlib.decompressobj(wbits)
        try:
            plain += stream.decompress(remaining, limit + 1 - len(plain))
        except zlib.error as error:
            raise _corrupt_body_error(error) from None
        if len(plain) > limit:
            raise too_large_error(limit)
        if not stream.eof:
            raise _truncated_body_error()
        remaining = stream.unused_data
    return plain
