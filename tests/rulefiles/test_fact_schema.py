"""What rule files may ask of facts, and the reference that is made from the same classes."""

from __future__ import annotations

import dataclasses

import pytest

from firstcause.core.fact_kinds import FACT_KINDS, AlertFact, EdgeFact, SuspectFact
from firstcause.core.model import Priority, Severity
from firstcause.core.typed_fact import list_fields
from firstcause.rulefiles.fact_schema import CLOSED_KINDS, CODE_FIELDS, FIELDS_BY_KIND
from support.fact_reference import DOCUMENT, with_reference


def test_the_reference_in_the_docs_is_that_of_the_code() -> None:
    text = DOCUMENT.read_text()
    assert text == with_reference(text), "run: python tests/support/fact_reference.py"


def test_the_docs_name_every_closed_kind() -> None:
    (sentence,) = (line for line in DOCUMENT.read_text().splitlines() if line.startswith("Of `alert`, "))
    assert all(f"`{kind}`" in sentence for kind in CLOSED_KINDS)
    assert not any(f"`{kind}`" in sentence for kind in FIELDS_BY_KIND.keys() - CLOSED_KINDS)


def test_every_kind_is_listed_once_and_every_field_described() -> None:
    kinds = [fact_class.kind for fact_class in FACT_KINDS]
    assert len(set(kinds)) == len(kinds)
    for fact_class in FACT_KINDS:
        fields = list(list_fields(fact_class))
        assert fact_class.about
        assert [info.name for info in fields if not info.doc.text] == []
        assert [info.name for info in fields] == [
            field.name.rstrip("_") for field in dataclasses.fields(fact_class)
        ]


def test_words_and_codes_come_from_the_types() -> None:
    assert FIELDS_BY_KIND["alert"]["severity"] == tuple(Severity)
    assert FIELDS_BY_KIND["alert"]["priority"] == tuple(Priority)
    assert FIELDS_BY_KIND["edge"]["scope"] == ("platform", "tenant")
    assert FIELDS_BY_KIND["alert"]["title"] is None
    assert ("edge", "cause_code") in CODE_FIELDS
    assert ("edge", "cause") not in CODE_FIELDS


def test_a_fact_is_flat_and_without_fields_that_have_no_value() -> None:
    fact = AlertFact(
        id="a",
        code="X",
        title="t",
        severity=Severity.CRITICAL,
        catalogued=False,
        count=1,
        tenants_hit=0,
        age_s=0.0,
    ).to_fact()
    assert fact == {
        "kind": "alert", "id": "a", "state": "active", "code": "X", "title": "t", "severity": "CRITICAL",
        "parts": 1, "catalogued": False, "count": 1, "tenants_hit": 0, "age_s": 0.0, "quiet_s": 0.0,
    }  # fmt: skip
    # Words are plain text: to rules, a value of an enum's own type would equal no literal.
    assert type(fact["severity"]) is str


def test_a_field_whose_name_is_a_keyword_of_python_has_its_name_in_rules() -> None:
    fact = SuspectFact(
        id="s", component="a", chosen=True, rank=1, confidence=1.0, silent=False, explains=1, callers=0,
        callers_failing=0, for_="yes", against="no",
    ).to_fact()  # fmt: skip
    assert (fact["for"], fact["against"], "for_" in fact) == ("yes", "no", False)


def test_a_fact_cannot_be_changed() -> None:
    edge = EdgeFact(
        id="e",
        cause="a",
        effect="b",
        cause_code="A",
        effect_code="B",
        hops=1,
        best=True,
        scope="tenant",
        lag_s=0,
    )
    with pytest.raises(AttributeError):
        edge.best = False  # type: ignore[misc]
