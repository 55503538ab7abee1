"""Patterns: what RE2 reads differently from other engines."""

from __future__ import annotations

import pytest

from firstcause.inference.patterns import describe_difference


@pytest.mark.parametrize("text", ["a{,4}b", "Grö\\b", "\\bübung"])
def test_what_re2_reads_differently_is_named(text: str) -> None:
    assert describe_difference(text)


@pytest.mark.parametrize("text", [r"a\{,4}b", "a{0,4}b", r"\bover\b", "grün"])
def test_what_re2_reads_like_others_is_not(text: str) -> None:
    assert describe_difference(text) is None
