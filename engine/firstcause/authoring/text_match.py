"""Explains which catalog entry a text gets, by which pattern or likeness, and which come second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.text.similarity import MIN_SCORE
from firstcause.inference.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firstcause.rulefiles.load import RuleBook

MAX_CANDIDATES = 5


def explain_match(book: RuleBook, text: str) -> list[dict[str, Any]]:
    """List the entries that a text without a code may get, the one that it gets first; empty if none.

    Each has its code, place, and either the pattern or the score of likeness.
    """
    by_pattern = list(_iter_pattern_matches(book, text))
    codes = {match["code"] for match in by_pattern}
    nearest = book.catalog.find_nearest(text)
    by_words = []
    if nearest is not None and nearest.code not in codes:
        entry = {"code": nearest.code, "place": book.entry_places.get(nearest.code), "score": nearest.score}
        by_words.append({**entry, "pattern": None, "least": MIN_SCORE})
    return [*by_pattern, *by_words][:MAX_CANDIDATES]


def _iter_pattern_matches(book: RuleBook, text: str) -> Iterator[dict[str, Any]]:
    for code in book.matching_order:
        entry = book.catalog.entries[code]
        for pattern in entry.match:
            if compile_pattern(pattern).occurs_in(text):
                yield {"code": code, "place": book.entry_places.get(code), "pattern": pattern, "score": None}
                break
