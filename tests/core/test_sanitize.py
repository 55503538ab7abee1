from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.sanitize import escape_invisible, format_json, single_line


def test_what_acts_unseen_is_written_out() -> None:
    assert escape_invisible("\x1b[31mred\x1b[0m\r\nnext\tline") == "⟨ESC⟩[31mred⟨ESC⟩[0m\nnext\tline"
    assert escape_invisible("photo\u202egnp.exe\u200b\x9b") == "photo⟨U+202E⟩gnp.exe⟨U+200B⟩⟨U+009B⟩"
    assert escape_invisible("10\u00a0ms — fünf, 日本") == "10 ms — fünf, 日本"
    assert single_line("a\x1b[0m\nb\u202e") == "a [0m b "


@given(st.text())
def test_nothing_that_acts_is_left(text: str) -> None:
    for shown, kept in ((escape_invisible(text), {"\n", "\t"}), (single_line(text), set())):
        assert all(unicodedata.category(char)[0] != "C" or char in kept for char in shown)
    assert escape_invisible(escape_invisible(text)) == escape_invisible(text)


def test_json_keeps_its_value_and_nothing_of_it_acts() -> None:
    value = {"größe": "日本 \u202e\x9b\x1b\x7f\U000e0041", "n": [1, None, "a\nb"]}
    text = format_json(value)
    assert json.loads(text) == value
    assert "größe" in text
    assert "日本" in text
    assert text.isprintable()


@given(st.recursive(st.text(st.characters(exclude_categories=())), lambda inner: st.lists(inner, max_size=3)))
def test_any_json_keeps_its_value(value: object) -> None:
    text = format_json(value, indent=2)
    assert json.loads(text) == value
    assert all(char.isprintable() or char == "\n" for char in text)
