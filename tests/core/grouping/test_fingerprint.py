from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.catalog import Catalog, Entry
from firstcause.core.grouping import fingerprint
from firstcause.core.grouping.fingerprint import UNCATALOGUED, identify
from firstcause.core.model import Event, Severity

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENTRY = Entry.model_validate(
    {"code": "DOWN", "title": "It is down", "category": "SYSTEM", "severity": "CRITICAL", "component": "x"}
)
CATALOG = Catalog([ENTRY], lambda text: "DOWN" if "refused" in text else None)


def event(**fields: object) -> Event:
    return Event.model_validate({"id": "1", "time": NOW} | fields)


def test_code_decides_before_message() -> None:
    assert identify(event(code="OTHER", message="refused"), CATALOG).code == "OTHER"


def test_message_finds_the_entry_and_its_severity() -> None:
    identified = identify(event(message="connection refused"), CATALOG)
    assert (identified.code, identified.severity, identified.title) == (
        "DOWN",
        Severity.CRITICAL,
        "It is down",
    )


def test_an_unknown_code_is_kept_and_has_no_entry() -> None:
    identified = identify(event(code="my-own.code", message="what happened"), CATALOG)
    assert (identified.code, identified.entry, identified.title) == ("my-own.code", None, "what happened")


def test_texts_that_differ_in_numbers_are_one_fault() -> None:
    one = identify(event(message="order 17 of 'acme' failed: 0xdeadbeef"), CATALOG)
    two = identify(event(message="order 9999 of 'globex' failed: 0xcafebabe"), CATALOG)
    assert one.code == UNCATALOGUED
    assert one.fingerprint == two.fingerprint


def test_texts_that_differ_in_words_are_two() -> None:
    one, two = (identify(event(message=text), CATALOG) for text in ("disk full", "disk slow"))
    assert one.fault != two.fault


def test_tenant_and_service_part_alerts_but_not_faults() -> None:
    one, two = (identify(event(code="DOWN", tenant=name, service=name), CATALOG) for name in ("a", "b"))
    assert one.fingerprint != two.fingerprint
    assert one.fault == two.fault


@given(st.text(), st.text())
def test_any_text_is_an_error(message: str, stack: str) -> None:
    identified = identify(event(message=message, stack=stack), CATALOG)
    assert identify(event(message=message, stack=stack), CATALOG) == identified


PHRASED = Catalog(
    [
        ENTRY.model_copy(
            update={"code": "QUEUE_STALLED", "title": "The message queue has stalled consumers"}
        ),
        ENTRY.model_copy(update={"code": "DISK_FULL", "title": "No space left on the volume"}),
    ],
    likeness=0.5,
)


def test_a_text_that_no_pattern_fits_is_the_entrys_whose_words_it_has() -> None:
    identified = identify(event(message="message queue consumers stalled for 17 minutes"), PHRASED)
    assert identified.code == "QUEUE_STALLED"
    assert identified.likeness is not None
    assert 0.5 <= identified.likeness <= 1
    again = identify(event(message="message queue consumers stalled for 23 minutes"), PHRASED)
    assert (again.likeness, again.fingerprint) == (identified.likeness, identified.fingerprint)


def test_what_is_known_otherwise_is_not_looked_at_by_its_words() -> None:
    text = "message queue consumers stalled"
    assert identify(event(code="OTHER", message=text), PHRASED).code == "OTHER"
    assert identify(event(code="DISK_FULL", message=text), PHRASED).likeness is None
    assert identify(event(message="the cat sat on the mat"), PHRASED).code == UNCATALOGUED
    assert identify(event(message="17 23"), PHRASED).code == UNCATALOGUED


def test_a_site_that_trusts_only_patterns_says_so() -> None:
    only = Catalog(PHRASED.entries.values(), likeness=2.0)
    assert identify(event(message="message queue consumers stalled"), only).code == UNCATALOGUED


@pytest.mark.parametrize("fields", [{"code": "DOWN"}, {"code": "OTHER"}, {"message": "disk full"}])
def test_another_grouping_version_makes_other_fingerprints(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str]
) -> None:
    before = identify(event(**fields), CATALOG)
    fingerprint._hash_parts.cache_clear()
    monkeypatch.setattr(fingerprint, "_GROUPING_VERSION", "next")
    after = identify(event(**fields), CATALOG)
    fingerprint._hash_parts.cache_clear()
    assert after.fault != before.fault
    assert after.fingerprint != before.fingerprint
