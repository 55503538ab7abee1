"""The words of names and texts."""

from __future__ import annotations

import re
from functools import lru_cache

_URL_OR_PATH = re.compile(r"\b\w+://\S+|(?<![\w.])/[\w.%~-]+(?:/[\w.%~-]*)*(?:\?\S*)?")
# A metric's name, and a file or host name with dots: its words say nothing of what happened.
_IDENTIFIER = re.compile(r"\b[a-z]+(?:_[a-z0-9]+){2,}\b(?=\s*[({<>=!~]|_total|$)|\b\w+(?:[.-]\w+){2,}\b")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@lru_cache(maxsize=8192)
def split_words(text: str) -> str:
    """Return the words of a name or text: CamelCase and underscores are split, URLs and paths left out."""
    if " " in text:
        text = _IDENTIFIER.sub(" ", _URL_OR_PATH.sub(" ", text))
    return _CAMEL.sub(" ", text).replace("_", " ")
