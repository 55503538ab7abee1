from __future__ import annotations

import msgspec
import pytest

from firstcause.core.model import Event
from firstcause.intake.event_fields import EVENT_FIELDS, create_strict_struct

_SET_BY_US = {"probe", "drill", "ends_alert", "ends_part", "announces_end", "reports_end", "expires_at"}


def test_event_fields_are_the_fields_of_an_event_that_senders_set() -> None:
    names = [field.name for field in EVENT_FIELDS]
    assert sorted(names) == sorted(name for name in Event.model_fields if name not in _SET_BY_US)


@pytest.mark.parametrize("name", sorted(_SET_BY_US))
def test_strict_struct_refuses_fields_that_senders_do_not_set(name: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.json.decode(f'{{"code": "A", "{name}": true}}', type=create_strict_struct())


@pytest.mark.parametrize("source", ['{"line": "3"}', '{"file": 1}', '{"column": 3}'])
def test_strict_struct_refuses_a_source_that_must_be_changed(source: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(f'{{"code": "A", "source": {source}}}', type=create_strict_struct())
