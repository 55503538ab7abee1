"""Tells by one look at the bytes of a JSON document what masking could change in it.

The answer errs on one side only: a document that is called clean has nothing that the mask touches; one that
is not called clean may still have nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import re2

from firstcause.core.privacy.issuers import ACCOUNT_PATTERN
from firstcause.core.privacy.patterns import DATA_PATTERNS, HIDING_FORMS, TEXT_PATTERNS
from firstcause.core.privacy.personal import PERSONAL_PATTERNS, PersonalData

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firstcause.core.privacy.pattern_types import TextPattern

_MAX_MEMORY_BYTES = 256 * 1024 * 1024
_HIDING, _DATA, _FIRST_TEXT_ROW = range(3)
"""Positions in the set of automata: what hides anything, what matters in data alone, then a row each."""


def _get_options() -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = _MAX_MEMORY_BYTES
    options.never_capture = True
    options.encoding = re2.Options.Encoding.LATIN1
    return options


def _join_forms(forms: Iterable[str]) -> bytes:
    return "|".join(f"(?:{form})" for form in dict.fromkeys(forms)).encode("latin-1")


def compile_prefilter(forms: Iterable[str]) -> re2._Regexp:
    """One automaton that matches wherever one of the prefilter forms does."""
    return re2.compile(_join_forms(forms), _get_options())


class Prefilter:
    """Finds what a mask has to look at.

    rows: what is masked in texts.
    """

    def __init__(self, rows: tuple[TextPattern, ...]) -> None:
        data_forms = [form for row in DATA_PATTERNS for form in row.prefilter]
        text_forms = [form for row in rows for form in row.prefilter]
        self._rows = rows
        self._search = compile_prefilter([*HIDING_FORMS, *data_forms, *text_forms]).search
        self._rows_by_form = re2.Set.SearchSet(_get_options())
        for forms in (HIDING_FORMS, data_forms, *(row.prefilter for row in rows)):
            self._rows_by_form.Add(_join_forms(forms))
        self._rows_by_form.Compile()

    def is_clean(self, document: bytes) -> bool:
        """Whether no pattern can match anywhere in a JSON document in UTF-8."""
        return self._search(document) is None

    def find_rows(self, text: bytes) -> tuple[TextPattern, ...]:
        """The rows that may change a text that is not clean. text: as JSON in UTF-8."""
        matched = self._rows_by_form.Match(text)
        if not matched or _HIDING in matched:  # the set finds nothing where it runs out of memory
            return self._rows
        return tuple(self._rows[index - _FIRST_TEXT_ROW] for index in sorted(matched) if index != _DATA)


@lru_cache(maxsize=8)
def get_prefilter(personal_data: frozenset[PersonalData]) -> Prefilter:
    """For texts. personal_data: the kinds that are masked beside secrets."""
    return Prefilter((*TEXT_PATTERNS, *(PERSONAL_PATTERNS[kind] for kind in sorted(personal_data))))


@lru_cache(maxsize=1)
def get_name_prefilter() -> Prefilter:
    """For names of events. They keep accounts and personal data: a tenant may be known by them."""
    return Prefilter(tuple(row for row in TEXT_PATTERNS if row is not ACCOUNT_PATTERN))
