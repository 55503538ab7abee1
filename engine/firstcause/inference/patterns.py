"""Regular expressions that no input can slow down: RE2, found anywhere in a text, in any case."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import re2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SEARCHED = 8192
"""Characters of a text that are searched; an error says what it is within its first lines."""

_TOGETHER = 250
"""Patterns in one automaton: a few of this size find as fast as one of thousands, in less memory."""
_REMEMBERED = 20_000
"""Patterns that are kept compiled: each is looked at by the checks and by what uses it, at every reload."""
_MEMORY = 64 * 1024 * 1024
"""Bytes that one automaton may grow to; with RE2's default thousands of patterns do not compile."""


class Pattern:
    """One compiled pattern. ValueError with the reason where the text is none that RE2 takes."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self.compiled = re2.compile(text.encode(), _options())
        except UnicodeEncodeError:
            reason = "it holds half a character (a lone surrogate)"
        except re2.error as error:
            reason = _reason(error)
        else:
            return
        msg = (
            f"the pattern {text!r} cannot be used: {reason} (RE2 syntax: no look-around, no back-references)"
        )
        raise ValueError(msg)

    def found(self, text: str) -> bool:
        return self.compiled.search(_searched(text)) is not None


@lru_cache(maxsize=_REMEMBERED)
def compile_pattern(text: str) -> Pattern:
    """ValueError with the reason where the pattern is none, or is one that RE2 refuses."""
    return Pattern(text)


def fits_whole(text: str, value: str) -> bool:
    """Whether a pattern fits a whole text, as Alertmanager's do. ValueError where it is no pattern."""
    compile_pattern(text)
    return compile_pattern(f"^(?:{text})$").found(value)


_NO_WIDTH = re.compile(r"\\[bBAzZ]")
_ONE = re.compile(r"\\.|\[\^?\]?[^\]]*\]")
_BEYOND = re.compile(r"\$\w|\w\^")


def impossible(text: str) -> bool:
    """Whether the pattern wants something after the end of a text or before its beginning.

    Sees it where both stand side by side; not every pattern that is found in nothing.
    """
    plain = _ONE.sub("x", _NO_WIDTH.sub("", text))
    return "(?m" not in text and _BEYOND.search(plain) is not None


def matcher(entries: Sequence[tuple[str, Sequence[str]]]) -> Callable[[str], str | None]:
    """From a text to the first code in order with a pattern found in it; all patterns in one pass.

    ValueError with the reason where a pattern cannot be used.
    """
    flat = [(code, compile_pattern(pattern)) for code, patterns in entries for pattern in patterns]
    groups = [flat[start : start + _TOGETHER] for start in range(0, len(flat), _TOGETHER)]
    finders = [_first([pattern for _code, pattern in group]) for group in groups]

    def match(text: str) -> str | None:
        searched = _searched(text)
        for group, first in zip(groups, finders, strict=True):
            number = first(searched)
            if number is not None:
                return group[number][0]
        return None

    return match


def _first(patterns: Sequence[Pattern]) -> Callable[[bytes], int | None]:
    """From a text to the number of the first pattern found in it."""
    together = re2.Set.SearchSet(_options())
    for pattern in patterns:
        together.Add(pattern.text.encode())
    try:
        together.Compile()
    except re2.error:
        # Each is fine and all are too much for one automaton.
        return lambda text: next(
            (number for number, pattern in enumerate(patterns) if pattern.compiled.search(text)), None
        )

    def first(text: bytes) -> int | None:
        hits: list[int] = together.Match(text)
        return min(hits) if hits else None

    return first


def _searched(text: str) -> bytes:
    # Half characters come in by JSON's \ud800 and have no UTF-8.
    return text[:SEARCHED].encode("utf-8", "replace")


def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _MEMORY
    return options


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else error
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
