"""What a row of the tables of secrets is, and how a row is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MASKED = "[masked]"

MIN_SECRET_LENGTH = 6
"""Characters. Shorter secrets cannot be told from ordinary text."""

REGEX_FLAGS = re.IGNORECASE | re.ASCII

WORD_START = r"(?<![A-Za-z0-9])"

JSON_WORD_START = r"(?:^|[^A-Za-z0-9]|\\[bfnrt])"
"""The same in JSON, where the letter of an escape such as \\n may stand before a word."""

JSON_SPACE = r"(?: |\\[tnrf])"
JSON_QUOTE = r"(?:\\*[\"'`])"
JSON_REST = r'(?:[^"\\]|\\.)*'
"""Forms of RE2 in a JSON string: white space, a quotation mark, and whatever comes until the string ends."""


@dataclass(frozen=True)
class TextPattern:
    """A secret that is recognised within a text, by the name before it or by its own look.

    mask: returns the text with the secret replaced, and all else as it was.
    prefilter: RE2 forms; at least one of them matches in the JSON of each text that is changed.
    example: a text that is masked. counterexample: a text like it that is not.
    """

    name: str
    mask: Callable[[str], str]
    prefilter: tuple[str, ...]
    example: str
    counterexample: str


@dataclass(frozen=True)
class DataPattern:
    """A value that is masked for where it stands in JSON-like data, or that JSON cannot hold as it is.

    prefilter, example, counterexample: as in `TextPattern`; the examples are JSON, as a sender writes it.
    """

    name: str
    prefilter: tuple[str, ...]
    example: str
    counterexample: str


def substitute(
    regex: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str]
) -> Callable[[str], str]:
    """A `mask` that replaces each match of a regex, as `re.sub` does.

    The regex must be linear in the length of its input: every quantifier is bounded or possessive.
    """
    return partial(regex.sub, replacement)


def split_words(text: str) -> frozenset[str]:
    """The words of a list that is written as a text."""
    return frozenset(text.split())


def in_json(regex: str) -> str:
    """The prefilter form of a secret whose case matters and that begins a word."""
    return rf"{JSON_WORD_START}(?-i:{regex})"
