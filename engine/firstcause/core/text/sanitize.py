"""Text from outside, made harmless for whoever looks at it: terminals, browsers, people."""

from __future__ import annotations

import unicodedata

_KEPT_CHARS = frozenset("\n\t")
_CONTROL_NAMES = {"\x00": "NUL", "\x07": "BEL", "\x08": "BS", "\r": "CR", "\x1b": "ESC", "\x7f": "DEL"}


def single_line(text: object) -> str:
    """On one line, without control characters that could drive a terminal or turn the text around."""
    return "".join(char if char.isprintable() else " " for char in str(text))


def escape_invisible(text: str) -> str:
    """Its lines kept; what would act unseen (escape codes, marks of direction) is written out instead."""
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
