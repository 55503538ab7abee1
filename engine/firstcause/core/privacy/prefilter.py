"""Tells by one look at the bytes of a JSON document that masking would change nothing in it.

The answer errs on one side only: a document that is called clean has nothing that the mask touches; one that
is not called clean may still have nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import re2

from firstcause.core.privacy.patterns import DATA_PATTERNS, HIDING_FORMS, TEXT_PATTERNS
from firstcause.core.privacy.personal import PERSONAL_PATTERNS, PersonalData

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_MEMORY_BYTES = 256 * 1024 * 1024


def compile_prefilter(forms: Iterable[str]) -> re2._Regexp:
    """One automaton that matches wherever one of the prefilter forms does."""
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = _MAX_MEMORY_BYTES
    options.never_capture = True
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile("|".join(f"(?:{form})" for form in forms).encode("latin-1"), options)


@lru_cache(maxsize=2 ** len(PersonalData))
def get_prefilter(personal_data: frozenset[PersonalData]) -> re2._Regexp:
    """The automaton that matches wherever the mask could change something in a JSON document.

    personal_data: the kinds that are masked beside secrets.
    """
    rows = (*TEXT_PATTERNS, *DATA_PATTERNS, *(PERSONAL_PATTERNS[kind] for kind in sorted(personal_data)))
    forms = dict.fromkeys(form for row in rows for form in row.prefilter)
    return compile_prefilter([*HIDING_FORMS, *forms])
