"""Shows text from outside so that it can forge nothing: no escape codes, no reversed text, no extra lines.

This is the only way to show such text: in messages, logs, on the command line, in exports and on the page.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_KEPT_CHARS = frozenset("\n\t")
_CONTROL_NAMES = {"\x00": "NUL", "\x07": "BEL", "\x08": "BS", "\r": "CR", "\x1b": "ESC", "\x7f": "DEL"}
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


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


def format_json(value: Any, *, indent: int | None = None) -> str:
    """Format JSON with readable letters, and with escapes for what would act unseen on a terminal."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _NOT_ASCII.sub(_escape_in_json, text).replace("\x7f", r"\u007f")


def _escape_in_json(match: re.Match[str]) -> str:
    char = match[0]
    return char if char.isprintable() else json.dumps(char)[1:-1]


def _escape_char(char: str) -> str:
    if unicodedata.category(char) == "Zs":
        return " "
    return f"\u27e8{_CONTROL_NAMES.get(char) or f'U+{ord(char):04X}'}\u27e9"
