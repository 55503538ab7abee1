from __future__ import annotations

import pytest

from firstcause.core.text.listing import join_limited


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        (dict.fromkeys("abcdef"), "a, b and 4 more"),
        ((1, 2, 3), "1, 2 and 1 more"),
    ],
)
def test_join_limited_lists_the_first_names_and_counts_the_rest(names: list[object], text: str) -> None:
    assert join_limited(names, 2) == text


def test_join_limited_adds_those_without_a_name() -> None:
    assert join_limited("abc", 2, 70) == "a, b and 71 more"
    assert join_limited("a", 2, 70) == "a and 70 more"
