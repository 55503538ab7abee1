"""Regular expressions that no input can slow down: RE2, found anywhere in a text, in any case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import re2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST = 8192
"""Characters of a text that are searched; an error says what it is within its first lines."""


class Pattern:
    """One compiled pattern."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._found = re2.compile(text, _options())

    def found(self, text: str) -> bool:
        return self._found.search(text[:_MOST]) is not None


def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    return options


def compile_pattern(text: str) -> Pattern:
    """ValueError with the reason where the pattern is none, or is one that RE2 refuses."""
    try:
        return Pattern(text)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        msg = f"the pattern {text!r} cannot be used: {said} (RE2 syntax: no look-around, no back-references)"
        raise ValueError(msg) from None


def matcher(entries: Sequence[tuple[str, Sequence[str]]]) -> Callable[[str], str | None]:
    """From a text to the first code in order with a pattern found in it; one pass for all patterns."""
    together = re2.Set.SearchSet(_options())
    codes: list[str] = []
    for code, patterns in entries:
        for pattern in patterns:
            together.Add(pattern)
            codes.append(code)
    if not codes:
        return lambda _text: None
    together.Compile()

    def match(text: str) -> str | None:
        hits = together.Match(text[:_MOST])
        return codes[min(hits)] if hits else None

    return match
