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

MAX_MEMBERS = 1024
"""Members of a gzip body, or frames of a zstd body. Tools that compress in blocks make one of every 64 KiB;
each costs a decompressor, whatever is in it."""

_PIECE_SIZE = 16 * 1024
"""Bytes of gzip that are decompressed at a time."""


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a body.

    encoding: the header Content-Encoding: gzip, deflate, br, zstd or none. limit: bytes of the result.
    Raises IntakeError 400 for a corrupt body, 413 above the limit or of too many members, 415 for another
    encoding.
    """
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip" | "x-gzip":
            plain = _inflate_zlib(body, _GZIP_WBITS, limit)
        case "deflate":
            plain = _inflate_zlib(body, _find_deflate_wbits(body), limit)
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
    plain, position, source = bytearray(), 0, memoryview(body)
    for _ in range(MAX_MEMBERS):
        if position >= len(body):
            return bytes(plain)
        stream = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
        try:
            while position < len(body) and not stream.eof:
                plain += stream.decompress(source[position : position + _CHUNK_SIZE])
                position = min(position + _CHUNK_SIZE, len(body))
                if len(plain) > limit:
                    raise too_large_error(limit)
        except zstandard.ZstdError as error:
            raise _corrupt_body_error(error) from None
        if not stream.eof:
            raise _truncated_body_error()
        position -= len(stream.unused_data)
    return _check_all_read(plain, position, body)


def _check_all_read(plain: bytearray, position: int, body: bytes) -> bytes:
    if position < len(body):
        msg = f"the compressed body has more than {MAX_MEMBERS} members; compress it in one piece"
        raise IntakeError(msg, 413)
    return bytes(plain)


def _corrupt_body_error(error: Exception) -> IntakeError:
    return IntakeError(f"the body does not match its Content-Encoding: {error}")


def _truncated_body_error() -> IntakeError:
    return IntakeError("the compressed body is incomplete")


def _inflate_zlib(body: bytes, wbits: int, limit: int) -> bytes:
    plain, position, source = bytearray(), 0, memoryview(body)
    for _ in range(MAX_MEMBERS):
        if position >= len(body):
            return bytes(plain)
        stream = zlib.decompressobj(wbits)
        try:
            # In pieces: what follows the end of a member is copied, and a piece is little.
            while position < len(body) and not stream.eof:
                piece = stream.unconsumed_tail + source[position : position + _PIECE_SIZE]
                position = min(position + _PIECE_SIZE, len(body))
                plain += stream.decompress(piece, limit + 1 - len(plain))
                if len(plain) > limit:
                    raise too_large_error(limit)
        except zlib.error as error:
            raise _corrupt_body_error(error) from None
        if not stream.eof:
            raise _truncated_body_error()
        position -= len(stream.unused_data)
    return _check_all_read(plain, position, body)


def decompress_start(start: bytes, encoding: str, size: int) -> bytes:
    """Decompress at most the first `size` bytes of a body of which only the start may be there.

    Raises IntakeError as `decompress` does.
    """
    try:
        match encoding.strip().lower():
            case "gzip" | "x-gzip":
                return zlib.decompressobj(_GZIP_WBITS).decompress(start, size)
            case "deflate":
                return zlib.decompressobj(_find_deflate_wbits(start)).decompress(start, size)
            case "br":
                plain: bytes = brotli.Decompressor().process(start, output_buffer_limit=size)
                return plain[:size]
            case "zstd":
                return _decompress_zstd_start(start, size)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise _corrupt_body_error(error) from None
    return start[:size] if is_plain(encoding) else decompress(b"", encoding, 0)


def _decompress_zstd_start(start: bytes, size: int) -> bytes:
    stream = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
    plain = bytearray()
    for position in range(0, len(start), _CHUNK_SIZE):
        if stream.eof or len(plain) >= size:
            break
        plain += stream.decompress(start[position : position + _CHUNK_SIZE])
    return bytes(plain[:size])


def _find_deflate_wbits(body: bytes) -> int:
    # RFC 9110 means the format of zlib; some clients send the bare stream.
    zlib_format = bool(body) and body[0] & _METHOD_MASK == _DEFLATE_METHOD
    return zlib.MAX_WBITS if zlib_format else -zlib.MAX_WBITS


def is_plain(encoding: str) -> bool:
    """Whether a body of this Content-Encoding is not compressed."""
    return encoding.strip().lower() in {"", "identity"}
