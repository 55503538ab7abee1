"""Makes text from outside safe for terminals, browsers and people."""

from __future__ import annotations

import unicodedata

_KEPT_CHARS = frozenset("\n\t")
_CONTROL_NAMES = {"\x00": "NUL", "\x07": "BEL", "\x08": "BS", "\r": "CR", "\x1b": "ESC", "\x7f": "DEL"}


def single_line(text: object) -> str:
    """Put a text on one line, without control characters that act on a terminal or reverse the text."""
    return "".join(char if char.isprintable() else " " for char in str(text))


def escape_invisible(text: str) -> str:
    """Write out what would act unseen (escape codes, marks of direction), and keep the lines."""
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n")
    return "".join(
        char if char.isprintable() or char in _KEPT_CHARS else _escape_char(char) for char in lines
    )


def _escape_char(char: str) -> str:
    if unicodedata.category(char) == "Zs":
        return " "
    return f"\u27e8{_CONTROL_NAMES.get(char) or f'U+{ord(char):04X}'}\u27e9"
