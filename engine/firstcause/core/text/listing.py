"""Lists of names as text."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def join_limited(names: Collection[object], max_items: int, further_count: int = 0) -> str:
    """List the first names and count the rest: "a, b and 4 more"; empty for no names.

    further_count: how many more there are, of which nobody knows the names.
    """
    hidden_count = max(len(names) - max_items, 0) + further_count
    shown = ", ".join(map(str, islice(names, max_items)))
    return f"{shown} and {hidden_count} more" if hidden_count > 0 else shown
