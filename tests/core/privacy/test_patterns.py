from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstcause.core.privacy.masking import Mask
from firstcause.core.privacy.pattern_types import MASKED, DataPattern, TextPattern
from firstcause.core.privacy.patterns import DATA_PATTERNS
from firstcause.core.privacy.patterns import TEXT_PATTERNS as SECRET_PATTERNS
from firstcause.core.privacy.personal import PERSONAL_PATTERNS, PersonalData
from firstcause.core.privacy.prefilter import compile_prefilter

TEXT_PATTERNS = (*SECRET_PATTERNS, *PERSONAL_PATTERNS.values())
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
def test_text_pattern_example_contains_a_hint(pattern: TextPattern) -> None:
    searched = pattern.example.lower() if pattern.ignore_case else pattern.example
    assert not pattern.hints or any(hint in searched for hint in pattern.hints)
    assert len(pattern.example) >= pattern.min_length


@text_patterns
def test_text_pattern_counterexample_is_left_as_it_is(pattern: TextPattern) -> None:
    assert MASK.mask_text(pattern.counterexample) == pattern.counterexample


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
    names = [row.name for row in (*TEXT_PATTERNS, *DATA_PATTERNS)]
    assert len(names) == len(set(names))


# The mask and the prefilter agree

examples = st.sampled_from([text for row in TEXT_PATTERNS for text in (row.example, row.counterexample)])
pieces = examples | examples.flatmap(
    lambda text: st.integers(0, len(text)).map(lambda cut: text[cut:])
) | examples.flatmap(lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut]))  # fmt: skip
texts = st.lists(pieces | st.text(max_size=4), max_size=4).map("".join)


@settings(max_examples=500, deadline=None)
@given(texts, st.booleans())
def test_text_called_clean_by_the_prefilter_is_unchanged_by_the_mask(text: str, ascii_only: bool) -> None:
    if MASK.surely_clean(to_json({"message": text}, ascii_only=ascii_only)):
        assert MASK.mask_text(text) == text


@settings(max_examples=500, deadline=None)
@given(texts)
def test_text_without_a_hint_is_left_as_it_is(text: str) -> None:
    for pattern in TEXT_PATTERNS:
        searched = text.lower() if pattern.ignore_case else text
        has_hint = any(hint in searched for hint in pattern.hints) if pattern.hints else True
        if not has_hint or len(text) < pattern.min_length:
            assert pattern.hints == () or pattern.mask(text) == text


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(DATA_PATTERNS), texts, st.booleans())
def test_data_called_clean_by_the_prefilter_is_unchanged_by_the_mask(
    pattern: DataPattern, text: str, as_key: bool
) -> None:
    details = {"a": json.loads(pattern.counterexample), text if as_key else "b": text}
    if MASK.surely_clean(to_json({"details": details})):
        assert MASK.mask_data({"details": details}) == {"details": details}
