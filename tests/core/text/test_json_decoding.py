from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firstcause import decode_json

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
).map(json.dumps)


def attempt(decode: Any, text: bytes | str) -> str:
    try:
        return repr(decode(text))
    except (ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"


@settings(max_examples=120, deadline=None)
@given(documents | st.text() | documents.map(str.encode) | st.binary())
@example("[1e400, -1e400, 1e-400, 123456789012345678901234567890, -0, -0.0, 1E+2]")
@example('["\\ud800", "\\ud83d\\ude00", "\ud800"]')
@example('{"a": 1, "a": 2}')
@example('{"a": 1} {"a": 2}')
@example(b"\xef\xbb\xbf{}")
@example('{"a": 1}'.encode("utf-16"))
@example("[1,]")
@example("")
def test_it_decodes_and_refuses_as_the_standard_library(text: bytes | str) -> None:
    assert attempt(decode_json, text) == attempt(json.loads, text)


@pytest.mark.parametrize("depth", [500, 100_000])
def test_deep_nesting_is_decoded_or_refused(depth: int) -> None:
    text = "[" * depth + "]" * depth
    try:
        assert json.dumps(decode_json(text)) == text
    except RecursionError:
        assert depth > 500
