from __future__ import annotations

import gzip
import tracemalloc
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from firstcause.errors import IntakeError
from firstcause.intake.decompression import decompress

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 1000
TEXT = b'{"code": "A"}'


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def bare(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT, ""),
        (TEXT, "identity"),
        (gzip.compress(TEXT, mtime=0), "gzip"),
        (gzip.compress(TEXT, mtime=0), " GZIP "),
        (gzip.compress(TEXT[:5], mtime=0) + gzip.compress(TEXT[5:], mtime=0), "gzip"),
        (zlib.compress(TEXT), "deflate"),
        (bare(TEXT), "deflate"),
        (brotli.compress(TEXT), "br"),
        (zstd(TEXT), "zstd"),
        (zstd(TEXT[:5]) + zstd(TEXT[5:]), "zstd"),
    ],
)
def test_what_it_can_take_off(body: bytes, encoding: str) -> None:
    assert decompress(body, encoding, LIMIT) == TEXT


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (TEXT, "gzip", 400),
        (gzip.compress(TEXT, mtime=0)[:-9], "gzip", 400),
        (TEXT, "br", 400),
        (brotli.compress(TEXT)[:-2], "br", 400),
        (brotli.compress(TEXT) + b"more", "br", 400),
        (brotli.compress(b"x" * 1001), "br", 413),
        (TEXT, "zstd", 400),
        (zstd(TEXT)[:-2], "zstd", 400),
        (zstd(TEXT) + b"more", "zstd", 400),
        (zstd(b"x" * 1001), "zstd", 413),
        (TEXT, "lz4", 415),
        (b"x" * 1001, "", 413),
        (gzip.compress(b"x" * 1001, mtime=0), "gzip", 413),
    ],
)
def test_what_it_refuses(body: bytes, encoding: str, status: int) -> None:
    with pytest.raises(IntakeError) as caught:
        decompress(body, encoding, LIMIT)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("pack", "encoding"),
    [(gzip.compress, "gzip"), (lambda data: brotli.compress(data, quality=1), "br"), (zstd, "zstd")],
    ids=["gzip", "br", "zstd"],
)
def test_a_bomb_goes_off_nowhere(pack: Callable[[bytes], bytes], encoding: str) -> None:
    bomb = pack(b"\0" * 200_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(IntakeError, match="over 1000 bytes"):
            decompress(bomb, encoding, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=3000), st.sampled_from(["br", "zstd", "gzip", "deflate"]))
def test_any_bytes_are_taken_or_refused(body: bytes, encoding: str) -> None:
    with suppress(IntakeError):
        assert len(decompress(body, encoding, LIMIT)) <= LIMIT


@given(st.binary(max_size=3000))
def test_whatever_was_packed_comes_out(data: bytes) -> None:
    for body, encoding in (
        (brotli.compress(data), "br"),
        (zstd(data), "zstd"),
        (gzip.compress(data, mtime=0), "gzip"),
    ):
        assert decompress(body, encoding, 3000) == data
