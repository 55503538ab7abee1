"""What a sender says tells its errors apart, such as Sentry's fingerprint."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from firstcause import DEFAULT_GROUPING, Event
from firstcause.core.catalog import Catalog, Entry
from firstcause.core.grouping.fingerprint import identify
from firstcause.core.privacy.masking import Mask

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENTRY = Entry.model_validate(
    {"code": "DOWN", "title": "It is down", "category": "SYSTEM", "severity": "CRITICAL", "component": "x"}
)
CATALOG = Catalog([ENTRY], lambda text: "DOWN" if "refused" in text else None)
STACKS = [f'Traceback:\n  File "app/{name}.py", line 3, in {name}\nKeyError: 1' for name in ("a", "b")]


def fault(**fields: object) -> str:
    return identify(Event.model_validate({"id": "1", "time": NOW, **fields}), CATALOG).fault


def test_two_errors_that_their_sender_calls_one_are_one() -> None:
    apart = {fault(message=stack, stack=stack) for stack in STACKS}
    together = {fault(message=stack, stack=stack, grouping=("sql-deadlock",)) for stack in STACKS}
    assert (len(apart), len(together)) == (2, 1)
    assert not apart & together


def test_one_error_that_its_sender_splits_is_two() -> None:
    for fields in ({"message": "HttpError: 502"}, {"code": "BAD_GATEWAY"}, {"message": "refused"}):
        ways = [(), (DEFAULT_GROUPING, "GET /orders"), (DEFAULT_GROUPING, "GET /users")]
        assert len({fault(**fields, grouping=grouping) for grouping in ways}) == 3


def test_what_firstcause_tells_apart_stays_apart_below_the_default() -> None:
    assert len({fault(stack=stack, message=stack, grouping=(DEFAULT_GROUPING, "x")) for stack in STACKS}) == 2


def test_two_services_do_not_share_a_grouping_of_their_own_but_a_catalog_entry() -> None:
    assert len({fault(message="m", service=name, grouping=("x",)) for name in ("a", "b")}) == 2
    assert len({fault(message="refused", service=name, grouping=("x",)) for name in ("a", "b")}) == 1


@given(st.text(), st.sampled_from([None, "DOWN", "OTHER"]))
def test_the_default_alone_changes_nothing(message: str, code: str | None) -> None:
    assert fault(message=message, code=code, grouping=(DEFAULT_GROUPING,)) == fault(
        message=message, code=code
    )


def test_secrets_in_a_grouping_are_masked() -> None:
    event = Event(id="1", time=NOW, message="m", grouping=("password=hunter22", DEFAULT_GROUPING))
    masked = Mask(["a-known-secret"]).mask_event(event)
    assert "hunter22" not in masked.grouping[0]
    assert masked.grouping[1] == DEFAULT_GROUPING
