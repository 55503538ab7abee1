"""Sizes as people write them: 500 MB, 1.5 GiB."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator

_BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_UNIT_BYTES = {unit.lower(): 1024**power for power, unit in enumerate(_BINARY_UNITS)} | {
    unit.lower(): 1000**power for power, unit in enumerate(("B", "kB", "MB", "GB", "TB", "PB"))
}
# Pydantic's ByteSize ignores an unknown rest after a number: "1,000 MB" would be one byte.
_SIZE_PATTERN = re.compile(rf"(\d{{1,18}}(?:\.\d{{1,9}})?) ?({'|'.join(_UNIT_BYTES)})|(\d{{1,18}})", re.ASCII)


def parse_size(value: object) -> int:
    """Read "1.5 GiB", "500 MB" or a number of bytes. Raises ValueError with an example for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (match := _SIZE_PATTERN.fullmatch(value.strip().lower())):
        number, unit, plain = match.groups()
        return int(plain) if plain else int(Decimal(number) * _UNIT_BYTES[unit])
    msg = f"{value!r} is not a size; use for example 500 MB or 10 GiB"
    raise ValueError(msg)


Size = Annotated[int, BeforeValidator(parse_size)]
"""Bytes, read from text."""


def format_size(byte_count: int) -> str:
    """Format bytes to a tenth of their unit: "10 GiB", "1.5 MiB"."""
    power = min(max(byte_count.bit_length() - 1, 0) // 10, len(_BINARY_UNITS) - 1)
    return f"{byte_count / 1024**power:.1f}".removesuffix(".0") + f" {_BINARY_UNITS[power]}"
