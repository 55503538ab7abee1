"""The strict YAML reader: what values are, where they stand, and what is refused where."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.rulefiles.yaml_reader import read_document


def data(text: str) -> Any:
    document, mistakes = read_document(text.encode(), "a.yaml")
    assert mistakes == []
    assert document is not None
    return document.data


def refused(raw: bytes | str) -> list[str]:
    _, mistakes = read_document(raw if isinstance(raw, bytes) else raw.encode(), "a.yaml")
    return [str(mistake) for mistake in mistakes]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("true", True),
        ("FALSE", False),
        ("012", 12),
        ("0o14", 12),
        ("0x1F", 31),
        ("-3", -3),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("~", None),
        ("null", None),
        ("", None),
        ("2026-01-02", "2026-01-02"),
        ("'true'", "true"),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("<<", "<<"),
    ],
)
def test_a_value_is_what_yaml_1_2_says(written: str, value: object) -> None:
    got = data(f"a: {written}\n")["a"]
    assert got == value
    assert type(got) is type(value)


def test_keys_and_values_have_their_places() -> None:
    document, _ = read_document(b"a:\n  - b: [1, {c: 2}]\n    'd': x\n", "a.yaml")
    assert document is not None
    assert document.get_key_position(("a",)) == (1, 1)
    assert document.get_position(("a", 0)) == (2, 5)
    assert document.get_position(("a", 0, "b", 1, "c")) == (2, 16)
    assert document.get_key_position(("a", 0, "d")) == (3, 5)
    assert document.get_position(("a", 0, "d", "nothing here")) == (3, 10)


def test_columns_count_characters_not_bytes() -> None:
    document, _ = read_document("\ufeff# é\n{é: ü, x: 1}\n".encode(), "a.yaml")
    assert document is not None
    assert document.get_key_position(("x",)) == (2, 8)


def test_an_alias_repeats_its_anchor() -> None:
    assert data("a: &x [1]\nb: *x\n") == {"a": [1], "b": [1]}


def test_a_billion_laughs_are_refused_before_they_cost_anything() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 12)]
    (mistake,) = refused("\n".join(lines))
    assert "aliases counted" in mistake


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3:1: the key 'a' is given twice, first in line 1; keep one"),
        ("a:\n\t- b\n", "a.yaml:2:1: a tab in the indentation; use spaces"),
        ("a: b: c\n", "a.yaml:1:5: not YAML: mapping values are not allowed in this context"),
        ("a: &x [*x]\n", "a.yaml:1:8: *x contains itself; write it out"),
        ("a: *x\n", "a.yaml:1:4: *x has no &x before it"),
        ("- a\n", "a.yaml:1:1: the top of a rule file is a mapping; begin with `component: NAME`"),
        ("just words\n", "a.yaml:1:1: the top of a rule file is a mapping"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2:1: a second document"),
        ("a: !!python/object:os.system x\n", "a.yaml:1:4: the tag tag:yaml.org,2002:python/object:os.system"),
        ("? [a]\n: b\n", "a.yaml:1:3: a key is a plain text"),
        ("a: .nan\n", "a.yaml:1:4: .nan cannot be compared"),
        ("a: 99999999999999999999\n", "a.yaml:1:4: a number of more than 64 bits"),
        ("a: 1e999\n", "a.yaml:1:4: a number too large"),
        ("a: \x01\n", "a.yaml:1:4: a character that YAML does not allow"),
        ("a: " + "[" * 100, "a.yaml:1:43: nested more than 40 levels deep"),
        ("", "a.yaml:0:0: the file is empty"),
        (" \n\n", "a.yaml:0:0: the file is empty"),
        ("# only this\n", "a.yaml:0:0: nothing but comments"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, mistake: str) -> None:
    (told,) = refused(text)
    assert told.startswith(mistake)


def test_bytes_that_are_not_utf_8_are_told_with_their_place() -> None:
    assert refused(b"a: 1\nb: \xff\n") == ["a.yaml:2:4: not UTF-8 text; save the file as UTF-8"]


def test_all_repeated_keys_are_told() -> None:
    assert len(refused("a: 1\na: 2\na: 3\nb: {c: 1, c: 2}\n")) == 3


@given(st.binary(max_size=200) | st.text("ab:-[]{}&*!'\"\n\t ?|>#%0.,", max_size=80).map(str.encode))
def test_any_bytes_give_a_document_or_a_mistake(raw: bytes) -> None:
    document, mistakes = read_document(raw, "a.yaml")
    assert document is not None or mistakes
    assert document is None or isinstance(document.data, dict)
