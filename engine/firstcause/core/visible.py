"""Text from outside, made harmless for whoever looks at it: terminals, browsers, people."""

from __future__ import annotations

import unicodedata

_KEPT = frozenset("\n\t")
_DELETE = 0x7F
_FIRST_PRINTABLE = 0x20
_PICTURES = 0x2400
_DELETE_PICTURE = "\u2421"


def clean(text: object) -> str:
    """On one line, without control characters that could drive a terminal or turn the text around."""
    return "".join(char if char.isprintable() else " " for char in str(text))


def visible(text: str) -> str:
    """Its lines kept; what would act unseen (escape codes, marks of direction) is written out instead."""
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n")
    return "".join(char if char.isprintable() or char in _KEPT else _written(char) for char in lines)


def _written(char: str) -> str:
    code = ord(char)
    if code < _FIRST_PRINTABLE:
        return chr(_PICTURES + code)
    if code == _DELETE:
        return _DELETE_PICTURE
    return " " if unicodedata.category(char) == "Zs" else f"\u27e8U+{code:04X}\u27e9"
