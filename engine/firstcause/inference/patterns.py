"""Regular expressions by RE2, which no input can slow down: searched anywhere in a text, in any case."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import re2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_SEARCHED_CHARS = 8192
"""Characters of a text that are searched; the first lines of a message identify the error."""

_MAX_PATTERNS_PER_SET = 250
"""Patterns in one automaton: a few of this size are as fast as one of thousands, in less memory."""
_CACHE_SIZE = 20_000
"""Patterns that are kept compiled, since checks and users compile the same ones at every reload."""
_MAX_MEMORY_BYTES = 64 * 1024 * 1024
"""Maximum size of one automaton; with RE2's default, thousands of patterns do not compile."""


class Pattern:
    """One compiled pattern. ValueError: RE2 refuses the text, with the reason."""

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
    """Compile a pattern. ValueError: RE2 refuses it, with the reason."""
    return Pattern(text)


def matches_fully(text: str, value: str) -> bool:
    """Return whether a pattern matches a whole text, as in Alertmanager.

    ValueError: RE2 refuses the pattern.
    """
    compile_pattern(text)
    return compile_pattern(f"^(?:{text})$").occurs_in(value)


_ZERO_WIDTH = re.compile(r"\\[bBAzZ]")
_SINGLE_CHAR = re.compile(r"\\.|\[\^?\]?[^\]]*\]")
_OUT_OF_BOUNDS = re.compile(r"\$\w|\w\^")


def is_impossible(text: str) -> bool:
    """Return whether the pattern requires text after the end or before the beginning of a text.

    Recognizes adjacent anchors and characters only, not every pattern that can never match.
    """
    plain = _SINGLE_CHAR.sub("x", _ZERO_WIDTH.sub("", text))
    return "(?m" not in text and _OUT_OF_BOUNDS.search(plain) is not None


_OPEN_COUNT = re.compile(r"(?<!\\)\{,(\d+)\}")
_FOREIGN_BOUNDARY = re.compile(r"[^\x00-\x7f]\\[bB]|\\[bB][^\x00-\x7f]")


def describe_difference(text: str) -> str | None:
    """Say what RE2 reads differently from other engines and in silence; None where there is no such thing."""
    if count := _OPEN_COUNT.search(text):
        return f"{count[0]} is taken for these characters themselves; write {{0,{count[1]}}}"
    if _FOREIGN_BOUNDARY.search(text):
        return "\\b knows the letters of ASCII only, so it finds none beside another letter; leave it out"
    return None


def compile_matcher(entries: Sequence[tuple[str, Sequence[str]]]) -> Callable[[str], str | None]:
    """Build a function from a text to the first code, in order, with a pattern that matches.

    All patterns are searched in one pass.

    ValueError: RE2 refuses a pattern, with the reason.
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
    """Build a function from a text to the index of the first pattern that matches."""
    pattern_set = re2.Set.SearchSet(_build_options())
    for pattern in patterns:
        pattern_set.Add(pattern.text.encode())
    try:
        pattern_set.Compile()
    except re2.error:
        # Each pattern is fine, and all together are too large for one automaton.
        return lambda text: next(
            (index for index, pattern in enumerate(patterns) if pattern.compiled.search(text)), None
        )

    def find_first(text: bytes) -> int | None:
        hits: list[int] = pattern_set.Match(text)
        return min(hits) if hits else None

    return find_first


def _to_searchable(text: str) -> bytes:
    # Lone surrogates, which JSON allows as \ud800, have no UTF-8 form.
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
