"""Tells by one look at the bytes of a JSON document that masking would change nothing in it.

The answer errs on one side only: a document that is called clean has nothing that the mask touches; one that
is not called clean may still have nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import re2

from firstcause.core.privacy.patterns import DATA_PATTERNS, HIDING_FORMS, TEXT_PATTERNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAX_MEMORY_BYTES = 64 * 1024 * 1024


def compile_prefilter(forms: Iterable[str]) -> re2._Regexp:
    """One automaton that matches wherever one of the prefilter forms does."""
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = _MAX_MEMORY_BYTES
    options.never_capture = True
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile("|".join(f"(?:{form})" for form in forms).encode("latin-1"), options)


_suspicious = compile_prefilter(
    [*HIDING_FORMS, *(form for pattern in (*TEXT_PATTERNS, *DATA_PATTERNS) for form in pattern.prefilter)]
)


def surely_clean(document: bytes, secrets: Sequence[bytes]) -> bool:
    """Whether masking surely changes nothing.

    document: JSON in UTF-8. secrets: exact values, each in all the forms in which `Mask` looks for them.
    """
    return _suspicious.search(document) is None and not any(secret in document for secret in secrets)
