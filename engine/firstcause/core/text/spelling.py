"""Suggestions for misspelt names."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def suggest_nearest(name: str, known_names: Iterable[str], template: str = "'{}'") -> str:
    """`; did you mean 'x'?` with the known name that is nearest; empty where none is near.

    name: what was written; its case does not matter. template: how the suggestion is written.
    """
    by_folded = {known.casefold(): known for known in known_names}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return f"; did you mean {template.format(by_folded[matches[0]])}?" if matches else ""
