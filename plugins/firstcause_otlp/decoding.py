"""Decodes an export of logs, as JSON or protobuf, and the values in it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstcause import IntakeError, decode_json
from firstcause_otlp.log_messages import LOGS_EXPORT
from firstcause_otlp.wire_format import WireFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_DEPTH = 20
_MAX_KEY_DEPTH = 60
_VALUE_KINDS = frozenset({"stringValue", "boolValue", "intValue", "doubleValue", "bytesValue"})
_SNAKE_CASE = re.compile(r"_([a-z])")


@dataclass(frozen=True)
class Record:
    """A log record. place: where it is in the export. resource: the attributes of its resource."""

    place: str
    resource: Mapping[str, Any]
    content: Mapping[str, Any]


def decode_body(body: bytes, content_type: str) -> Any:
    if "protobuf" in content_type:
        return _decode_protobuf(body)
    try:
        export = decode_json(body)
    except (ValueError, RecursionError) as error:
        msg = f"the body is not JSON: {type(error).__name__}; protobuf has the type application/x-protobuf"
        raise IntakeError(msg) from None
    is_snake_case = isinstance(export, dict) and "resource_logs" in export
    return _rename_keys(export) if is_snake_case else export


def _rename_keys(value: Any, depth: int = 0) -> Any:
    """Rename `resource_logs` to `resourceLogs` and so on: protobuf's own names are valid JSON keys too.

    Attributes keep theirs, which are values of `key`.
    """
    if depth > _MAX_KEY_DEPTH:
        return value
    if isinstance(value, list):
        return [_rename_keys(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {
            _SNAKE_CASE.sub(lambda match: match[1].upper(), key): _rename_keys(item, depth + 1)
            for key, item in value.items()
        }
    return value


def _decode_protobuf(body: bytes) -> Any:
    try:
        return LOGS_EXPORT.decode(body)
    except WireFormatError as error:
        msg = f"the body is not a protobuf export of logs: {error}"
        raise IntakeError(msg) from None


def iter_records(export: Any) -> Iterator[Record | IntakeError]:
    """Iterate the records; an error stands for what cannot be read. IntakeError: the body holds no logs."""
    resource_logs = export.get("resourceLogs") if isinstance(export, dict) else None
    if not isinstance(resource_logs, list) and export != {}:
        msg = "the body has no resourceLogs; send what an OTLP exporter of logs sends"
        raise IntakeError(msg, 422)
    for group_place, group in _iter_objects(resource_logs, "resourceLogs"):
        if isinstance(group, IntakeError):
            yield group
            continue
        resource = group.get("resource")
        attributes = decode_attributes(resource.get("attributes")) if isinstance(resource, dict) else {}
        for scope_place, scope in _iter_children(group, "scopeLogs", group_place, {"resource", "schemaUrl"}):
            if isinstance(scope, IntakeError):
                yield scope
                continue
            for place, record in _iter_children(scope, "logRecords", scope_place, {"scope", "schemaUrl"}):
                yield record if isinstance(record, IntakeError) else Record(place, attributes, record)


def _iter_children(
    parent: Mapping[str, Any], name: str, place: str, other_names: set[str]
) -> Iterator[tuple[str, Mapping[str, Any] | IntakeError]]:
    """Iterate the objects below a key. Where the key is missing, other keys show that it is misspelled."""
    unknown = sorted(map(str, parent.keys() - other_names - {name}))
    if name not in parent and unknown:
        yield place, IntakeError(f"{place} has no {name}, but {', '.join(unknown)[:100]}", 422)
        return
    yield from _iter_objects(parent.get(name), f"{place}.{name}")


def _iter_objects(value: object, place: str) -> Iterator[tuple[str, Mapping[str, Any] | IntakeError]]:
    if value is not None and not isinstance(value, list):
        yield place, IntakeError(f"{place} is not a list", 422)
        return
    for index, item in enumerate(value or ()):
        item_place = f"{place}.{index}"
        is_object = isinstance(item, dict)
        yield item_place, item if is_object else IntakeError(f"{item_place} is not a JSON object", 422)


def read_fields(body: object) -> dict[str, Any]:
    """Read the fields of a decoded body: of a map, or of JSON that a collector passed on as a text."""
    if isinstance(body, str) and body.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):
            body = decode_json(body)
    return body if isinstance(body, dict) else {}


def decode_attributes(value: object, depth: int = 0) -> dict[str, Any]:
    """Decode a list of keys and values, or the plain object that some send instead."""
    if isinstance(value, dict):
        return {str(key): decode_value(item, depth) for key, item in value.items()}
    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return {str(item.get("key")): decode_value(item.get("value"), depth) for item in items}


def decode_value(value: object, depth: int = 0) -> Any:
    """Decode what an AnyValue holds. Anything else stands for itself."""
    if depth > _MAX_DEPTH or not isinstance(value, dict):
        return None if isinstance(value, dict | list) else value
    if isinstance(array := value.get("arrayValue"), dict):
        items = array.get("values")
        return [decode_value(item, depth + 1) for item in items] if isinstance(items, list) else []
    if isinstance(pairs := value.get("kvlistValue"), dict):
        return decode_attributes(pairs.get("values"), depth + 1)
    kind = next((kind for kind in value if kind in _VALUE_KINDS), None)
    if kind == "intValue":
        # 64 bits are a text in JSON.
        with suppress(TypeError, ValueError):
            return int(value[kind])
    return value[kind] if kind is not None else decode_attributes(value, depth + 1)


def to_text(value: object) -> str | None:
    """Write a decoded value: a text without blanks around it, else as JSON; None if it is empty."""
    if isinstance(value, str):
        return value.strip() or None
    return None if value is None else json.dumps(value, ensure_ascii=False)
