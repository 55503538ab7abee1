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
from firstcause.intake.decompression import MAX_MEMBERS, decompress, decompress_start

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


@pytest.mark.parametrize(
    ("member", "encoding"),
    [
        (gzip.compress(b"", mtime=0), "gzip"),
        (zlib.compress(b""), "deflate"),
        (zstd(b""), "zstd"),
        (b"\x50\x2a\x4d\x18\x00\x00\x00\x00", "zstd"),  # a frame that is skipped
    ],
)
def test_a_body_of_many_members_is_refused_by_their_number(member: bytes, encoding: str) -> None:
    assert decompress(member * MAX_MEMBERS, encoding, LIMIT) == b""
    with pytest.raises(IntakeError, match="more than 1024 members") as refused:
        decompress(member * (MAX_MEMBERS + 1), encoding, LIMIT)
    assert refused.value.status == 413


@given(st.lists(st.binary(max_size=40_000), max_size=6), st.sampled_from(["gzip", "zstd", "deflate"]))
def test_members_of_any_size_are_put_together(parts: list[bytes], encoding: str) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "zstd": zstd,
        "deflate": zlib.compress,
    }
    pack = packers[encoding]
    assert decompress(b"".join(map(pack, parts)), encoding, 10**6) == b"".join(parts)


@given(st.binary(max_size=40_000), st.sampled_from(["gzip", "zstd", "deflate", "br", "", "identity"]))
def test_the_start_of_a_body_is_read_where_the_rest_is_not_there(data: bytes, encoding: str) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "zstd": zstd,
        "deflate": zlib.compress,
        "br": brotli.compress,
    }
    packed = packers.get(encoding, bytes)(data)
    assert decompress_start(packed, encoding, 100) == data[:100]
    assert data.startswith(decompress_start(packed[: len(packed) // 2], encoding, 100))


def test_the_start_of_a_body_that_cannot_be_read_is_said() -> None:
    for encoding, status in (("gzip", 400), ("zstd", 400), ("br", 400), ("lzma", 415)):
        with pytest.raises(IntakeError) as refused:
            decompress_start(b"\xff" * 50, encoding, 100)
        assert refused.value.status == status
