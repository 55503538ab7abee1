"""Regular expressions that no input can slow down: RE2, found anywhere in a text, in any case."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import re2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_SEARCHED_CHARS = 8192
"""Characters of a text that are searched; an error says what it is within its first lines."""

_MAX_PATTERNS_PER_SET = 250
"""Patterns in one automaton: a few of this size find as fast as one of thousands, in less memory."""
_CACHE_SIZE = 20_000
"""Patterns that are kept compiled: each is looked at by the checks and by what uses it, at every reload."""
_MAX_MEMORY_BYTES = 64 * 1024 * 1024
"""Bytes that one automaton may grow to; with RE2's default thousands of patterns do not compile."""


class Pattern:
    """One compiled pattern. ValueError with the reason where the text is none that RE2 takes."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self.compiled = re2.compile(text.encode(), _build_options())
        except UnicodeEncodeError:
            reason = "it holds half a character (a lone surrogate)"
        except re2.error as error:
            reason = _format_error(error)
        else:
            return
        msg = (
            f"the pattern {text!r} cannot be used: {reason} (RE2 syntax: no look-around, no back-references)"
        )
        raise ValueError(msg)

    def occurs_in(self, text: str) -> bool:
        return self.compiled.search(_to_searchable(text)) is not None


@lru_cache(maxsize=_CACHE_SIZE)
def compile_pattern(text: str) -> Pattern:
    """ValueError with the reason where the pattern is none, or is one that RE2 refuses."""
    return Pattern(text)


def matches_fully(text: str, value: str) -> bool:
    """Whether a pattern fits a whole text, as Alertmanager's do. ValueError where it is no pattern."""
    compile_pattern(text)
    return compile_pattern(f"^(?:{text})$").occurs_in(value)


_ZERO_WIDTH = re.compile(r"\\[bBAzZ]")
_SINGLE_CHAR = re.compile(r"\\.|\[\^?\]?[^\]]*\]")
_OUT_OF_BOUNDS = re.compile(r"\$\w|\w\^")


def is_impossible(text: str) -> bool:
    """Whether the pattern wants something after the end of a text or before its beginning.

    Sees it where both stand side by side; not every pattern that is found in nothing.
    """
    plain = _SINGLE_CHAR.sub("x", _ZERO_WIDTH.sub("", text))
    return "(?m" not in text and _OUT_OF_BOUNDS.search(plain) is not None


def compile_matcher(entries: Sequence[tuple[str, Sequence[str]]]) -> Callable[[str], str | None]:
    """From a text to the first code in order with a pattern found in it; all patterns in one pass.

    ValueError with the reason where a pattern cannot be used.
    """
    pairs = [(code, compile_pattern(pattern)) for code, patterns in entries for pattern in patterns]
    groups = [
        pairs[start : start + _MAX_PATTERNS_PER_SET] for start in range(0, len(pairs), _MAX_PATTERNS_PER_SET)
    ]
    finders = [_compile_first_match([pattern for _code, pattern in group]) for group in groups]

    def match(text: str) -> str | None:
        searched = _to_searchable(text)
        for group, first in zip(groups, finders, strict=True):
            number = first(searched)
            if number is not None:
                return group[number][0]
        return None

    return match


def _compile_first_match(patterns: Sequence[Pattern]) -> Callable[[bytes], int | None]:
    """From a text to the number of the first pattern found in it."""
    pattern_set = re2.Set.SearchSet(_build_options())
    for pattern in patterns:
        pattern_set.Add(pattern.text.encode())
    try:
        pattern_set.Compile()
    except re2.error:
        # Each is fine and all are too much for one automaton.
        return lambda text: next(
            (index for index, pattern in enumerate(patterns) if pattern.compiled.search(text)), None
        )

    def find_first(text: bytes) -> int | None:
        hits: list[int] = pattern_set.Match(text)
        return min(hits) if hits else None

    return find_first


def _to_searchable(text: str) -> bytes:
    # Half characters come in by JSON's \ud800 and have no UTF-8.
    return text[:MAX_SEARCHED_CHARS].encode("utf-8", "replace")


def _build_options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _MAX_MEMORY_BYTES
    return options


def _format_error(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
