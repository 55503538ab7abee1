from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.text.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (0, 0),
        (1500, 1500),
        ("1500", 1500),
        ("0", 0),
        ("10 GiB", 10 * 1024**3),
        (" 10gib ", 10 * 1024**3),
        ("1.5 MiB", 3 * 512 * 1024),
        ("500 MB", 500_000_000),
        ("0.1 kB", 100),
        ("2 TiB", 2 * 1024**4),
        ("7 B", 7),
    ],
)
def test_sizes_are_read_as_people_write_them(written: Any, found: int) -> None:
    assert parse_size(written) == found


@pytest.mark.parametrize(
    "written",
    [
        "", "much", "-1", -1, True, None, 1.5, "1.5", "1,000 MB", "10 GiB or so", "10 Gib/s",
        "10 G", "1e9", "inf", "nan", [], "GiB", "٣ MB", "9" * 30, "1\n0 MB",
    ],
)  # fmt: skip
def test_what_is_no_size_is_refused_with_the_mend(written: Any) -> None:
    with pytest.raises(ValueError, match=r"is not a size; use for example 500 MB or 10 GiB"):
        parse_size(written)


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (10 * 1024**3, "10 GiB"), (1024**6, "1024 PiB")],
)
def test_sizes_are_said_briefly(number: int, said: str) -> None:
    assert format_size(number) == said


@given(st.integers(0, 2**60))
def test_what_is_said_can_be_read_and_is_right_to_a_twentieth(number: int) -> None:
    assert parse_size(format_size(number)) == pytest.approx(number, rel=0.05)
