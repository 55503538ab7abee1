"""Validates answers against their types: no further field, no missing field, the same values and order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter

from firstcause.health.answers import ActiveAlertAnswer, ObservationAnswer, ProbeAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPTIONAL_FIELDS: dict[type[BaseModel], set[str]] = {
    ObservationAnswer: {"code", "data"},
    ProbeAnswer: {"code", "data"},
    ActiveAlertAnswer: {"service", "tenant"},
}
"""Fields that an answer may leave out."""


def validate_answer(kind: Any, answer: object) -> set[type[BaseModel]]:
    """Fail unless an answer is exactly of a type. Returns all models that the answer has instances of."""
    adapter = TypeAdapter(kind)
    text = json.dumps(answer)
    validated = adapter.validate_json(text, strict=True)
    dumped = adapter.dump_json(validated, by_alias=True, exclude_unset=True)
    assert _load_ordered(dumped) == _load_ordered(text)
    instances = list(_find_instances(validated))
    for instance in instances:
        missing = type(instance).model_fields.keys() - instance.model_fields_set
        assert missing <= _OPTIONAL_FIELDS.get(type(instance), set()), type(instance)
    return {type(instance) for instance in instances}


def _load_ordered(text: str | bytes) -> Any:
    """Load JSON with objects as lists of pairs, so that their order counts. 1 and 1.0 are the same number."""
    return json.loads(text, object_pairs_hook=list)


def _find_instances(value: object) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        value = vars(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    for part in parts:
        yield from _find_instances(part)
