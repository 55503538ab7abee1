from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from firstcause.errors import IntakeError
from firstcause.intake.body import decompressed

LIMIT = 1000
TEXT = b'{"code": "A"}'


def bare(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT, ""),
        (TEXT, "identity"),
        (gzip.compress(TEXT), "gzip"),
        (gzip.compress(TEXT), " GZIP "),
        (gzip.compress(TEXT[:5]) + gzip.compress(TEXT[5:]), "gzip"),
        (zlib.compress(TEXT), "deflate"),
        (bare(TEXT), "deflate"),
    ],
)
def test_what_it_can_take_off(body: bytes, encoding: str) -> None:
    assert decompressed(body, encoding, LIMIT) == TEXT


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (TEXT, "gzip", 400),
        (gzip.compress(TEXT)[:-9], "gzip", 400),
        (TEXT, "br", 415),
        (b"x" * 1001, "", 413),
        (gzip.compress(b"x" * 1001), "gzip", 413),
    ],
)
def test_what_it_refuses(body: bytes, encoding: str, status: int) -> None:
    with pytest.raises(IntakeError) as caught:
        decompressed(body, encoding, LIMIT)
    assert caught.value.status == status


def test_a_bomb_goes_off_nowhere() -> None:
    bomb = gzip.compress(b"\0" * 200_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(IntakeError):
            decompressed(bomb, "gzip", LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
