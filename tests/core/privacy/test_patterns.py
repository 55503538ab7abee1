from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.privacy import ordinary_texts
from core.privacy.secret_spellings import SPELLINGS
from firstcause.core.privacy.masking import Mask
from firstcause.core.privacy.names import FOREIGN_PARTS, LAST_WORDS, NAME_END, NAME_PARTS
from firstcause.core.privacy.pattern_types import MASKED, DataPattern, TextPattern
from firstcause.core.privacy.patterns import DATA_PATTERNS, HIDING_FORMS
from firstcause.core.privacy.patterns import TEXT_PATTERNS as SECRET_PATTERNS
from firstcause.core.privacy.personal import PERSONAL_PATTERNS, PersonalData
from firstcause.core.privacy.prefilter import compile_prefilter

TEXT_PATTERNS: tuple[TextPattern, ...] = (*SECRET_PATTERNS, *PERSONAL_PATTERNS.values())
MASK = Mask(personal_data=PersonalData)
text_patterns = pytest.mark.parametrize("pattern", TEXT_PATTERNS, ids=[row.name for row in TEXT_PATTERNS])
data_patterns = pytest.mark.parametrize("pattern", DATA_PATTERNS, ids=[row.name for row in DATA_PATTERNS])


def to_json(value: Any, *, ascii_only: bool = False) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "replace")


def is_flagged(pattern: TextPattern | DataPattern, document: bytes) -> bool:
    """Whether this row's own prefilter forms match; other rows may match as well."""
    return compile_prefilter(pattern.prefilter).search(document) is not None


@text_patterns
def test_text_pattern_example_is_masked_by_its_own_regex(pattern: TextPattern) -> None:
    assert MASKED in pattern.mask(pattern.example)
    assert MASKED in MASK.mask_text(pattern.example)


@text_patterns
def test_text_pattern_example_is_flagged_by_its_own_prefilter(pattern: TextPattern) -> None:
    document = to_json({"message": f"x {pattern.example}"})
    assert is_flagged(pattern, document)
    assert not MASK.surely_clean(document)


@text_patterns
def test_text_pattern_counterexample_is_left_as_it_is(pattern: TextPattern) -> None:
    assert pattern.mask(pattern.counterexample) == pattern.counterexample
    assert Mask().mask_text(pattern.counterexample) == pattern.counterexample


@data_patterns
def test_data_pattern_example_is_masked_and_flagged(pattern: DataPattern) -> None:
    document = f'{{"details": {pattern.example}}}'
    details = json.loads(document)
    assert MASK.mask_data(details) != details
    assert is_flagged(pattern, document.encode())


@data_patterns
def test_data_pattern_counterexample_is_left_as_it_is(pattern: DataPattern) -> None:
    details = {"details": json.loads(pattern.counterexample)}
    assert MASK.mask_data(details) == details


def test_pattern_names_are_unique() -> None:
    names = [*(row.name for row in TEXT_PATTERNS), *(row.name for row in DATA_PATTERNS)]
    assert len(names) == len(set(names))


# The mask and the prefilter agree

SEEN = st.sampled_from(
    [
        *(text for row in TEXT_PATTERNS for text in (row.example, row.counterexample)),
        *(text for text, _ in SPELLINGS),
        *ordinary_texts.TEXTS,
    ]
)
GLUE = st.sampled_from(
    ["", " ", "\n", "\t", '"', "'", "\\", '\\"', "=", ":", ": ", ", ", "(", ")", "[", "]", "{", "}", "|", "-",
     "--", "/", "@", "?", "&", "%22", "&quot;", "\x0b", "\x0c", "é", "\u212a", "\u0130", MASKED, "https://",
     "\ud800"]
)  # fmt: skip


@st.composite
def strewn(draw: st.DrawFn) -> str:
    """Pieces of the tables, whole, cut, in capitals or within JSON, with signs between them."""
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        text = draw(SEEN)
        cut = draw(st.integers(0, len(text)))
        forms = (
            text,
            text[cut:],
            text[:cut],
            text[:cut] + draw(GLUE) + text[cut:],
            text.upper(),
            json.dumps(text),
        )
        parts += [draw(st.sampled_from(forms)), draw(GLUE)]
    return "".join(parts)


texts = strewn() | st.text(max_size=30)


@settings(max_examples=500, deadline=None)
@given(texts, st.booleans())
def test_text_called_clean_by_the_prefilter_is_unchanged_by_the_mask(text: str, ascii_only: bool) -> None:
    if MASK.surely_clean(to_json({"message": text}, ascii_only=ascii_only)):
        assert MASK.mask_text(text) == text


PREFILTERS = {row.name: compile_prefilter([*HIDING_FORMS, *row.prefilter]) for row in TEXT_PATTERNS}


@settings(max_examples=500, deadline=None)
@given(texts)
def test_text_that_a_row_changes_is_flagged_by_its_prefilter(text: str) -> None:
    document = to_json(text)
    for row in TEXT_PATTERNS:
        if row.mask(text) != text:
            assert PREFILTERS[row.name].search(document) is not None, row.name


@settings(max_examples=500, deadline=None)
@given(texts)
def test_masked_text_is_masked_to_itself(text: str) -> None:
    once = MASK.mask_text(text)
    assert MASK.mask_text(once) == once


@settings(max_examples=300, deadline=None)
@given(texts)
def test_rows_that_are_found_mask_as_all_rows_together_do(text: str) -> None:
    masked = text
    for _ in range(4):
        for row in TEXT_PATTERNS:
            masked = row.mask(masked)
    assert MASK.mask_text(masked) == masked


@pytest.mark.parametrize("name", [*NAME_PARTS, NAME_END, *LAST_WORDS, *FOREIGN_PARTS])
def test_name_of_a_secret_counts_in_data_and_in_a_text_alike(name: str) -> None:
    assert MASK.mask_data({name: "Tr0ub4dor-x9"}) == {name: MASKED}
    assert MASK.mask_text(f"failed: {name}=Tr0ub4dor-x9") == f"failed: {name}={MASKED}"


def test_letters_with_another_small_form_are_hiding_forms() -> None:
    """What becomes a letter of a name only in lower case would pass the prefilter."""
    letters = set("".join((*FOREIGN_PARTS, "abcdefghijklmnopqrstuvwxyz")))
    odd = {
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if (lower := char.lower()) != char
        and letters & set(lower)
        and char not in {each.upper() for each in letters}
    }
    hidden = compile_prefilter(HIDING_FORMS)
    assert [char for char in odd if hidden.search(char.encode()) is None] == []


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(DATA_PATTERNS), texts, st.booleans())
def test_data_called_clean_by_the_prefilter_is_unchanged_by_the_mask(
    pattern: DataPattern, text: str, as_key: bool
) -> None:
    details = {"a": json.loads(pattern.counterexample), text if as_key else "b": text}
    if MASK.surely_clean(to_json({"details": details})):
        assert MASK.mask_data({"details": details}) == {"details": details}
