"""What rule files may ask of facts, and the reference in docs/rules.md: made from `core.fact_kinds`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.core.fact_kinds import FACT_KINDS
from firstcause.core.typed_fact import list_fields
from firstcause.inference.expansion import SHORT_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from firstcause.core.typed_fact import FieldInfo, TypedFact

AllowedValues = tuple[str, ...] | None
"""All words that a text field may hold; None where it may hold any value."""

FIELDS_BY_KIND: Mapping[str, Mapping[str, AllowedValues]] = {
    fact_class.kind: {info.name: info.words for info in list_fields(fact_class)} for fact_class in FACT_KINDS
}
"""The allowed values of each field, by kind. Plugins may add kinds, and fields to open kinds."""

CLOSED_KINDS = frozenset(fact_class.kind for fact_class in FACT_KINDS if fact_class.closed)
"""Kinds whose fields are all listed, so that a rule which asks for another can never fire."""

CODE_FIELDS = frozenset(
    (fact_class.kind, info.name)
    for fact_class in FACT_KINDS
    for info in list_fields(fact_class)
    if info.doc.is_code
)
"""Kind and name of the fields that hold error codes."""

TYPES_BY_FIELD: Mapping[tuple[str, str], tuple[type, ...]] = {
    (fact_class.kind, info.name): info.types for fact_class in FACT_KINDS for info in list_fields(fact_class)
}
"""The types of the values of each field, by kind and name."""

OPEN_PREFIXES: Mapping[str, tuple[str, ...]] = {
    fact_class.kind: fact_class.open_prefixes for fact_class in FACT_KINDS
}
"""Beginnings of further fields that a kind has, such as `details.`."""


def has_field(kind: str, name: str) -> bool:
    """Whether facts of a known kind may have the field."""
    return name in FIELDS_BY_KIND[kind] or (
        name.startswith(OPEN_PREFIXES[kind]) if OPEN_PREFIXES[kind] else False
    )


_TYPE_NAMES: Mapping[type, str] = {str: "text", int: "number", float: "number", bool: "boolean", list: "list"}


def format_reference() -> str:
    """Format the reference of all kinds and fields as Markdown, one table a kind."""
    return "\n\n".join(_format_kind(fact_class) for fact_class in FACT_KINDS) + "\n"


def _format_kind(fact_class: type[TypedFact]) -> str:
    rows = [
        f"| `{info.name}` | {_format_values(info)} | {info.doc.text} |" for info in list_fields(fact_class)
    ]
    table = "\n".join(["| field | value | meaning |", "|---|---|---|", *rows])
    return f"### `{fact_class.kind}`\n{fact_class.about}\n\n{table}"


def _format_values(info: FieldInfo) -> str:
    if info.words is not None:
        return ", ".join(f"`{word}`" for word in info.words)
    return " or ".join(dict.fromkeys(_TYPE_NAMES[value_type] for value_type in info.types))


def build_field_conditions() -> Iterator[dict[str, object]]:
    """Build the part of the JSON Schema that offers the fields of each kind, with their meaning and words."""
    for fact_class in FACT_KINDS:
        fields = {info.name: _build_field_schema(info) for info in list_fields(fact_class)}
        then: dict[str, object] = {"properties": fields}
        if fact_class.closed:
            names = ["kind", *fields, *SHORT_WORDS]
            then["propertyNames"] = (
                {
                    "anyOf": [
                        {"enum": names},
                        *({"pattern": f"^{prefix}"} for prefix in fact_class.open_prefixes),
                    ]
                }
                if fact_class.open_prefixes
                else {"enum": names}
            )
        yield {
            "if": {"properties": {"kind": {"const": fact_class.kind}}, "required": ["kind"]},
            "then": then,
        }


def _build_field_schema(info: FieldInfo) -> dict[str, object]:
    schema: dict[str, object] = {"description": info.doc.text}
    if info.words is not None:
        reference = {"type": "string", "pattern": r"^\$"}
        schema["anyOf"] = [{"enum": list(info.words)}, reference, {"type": "object"}]
    return schema
