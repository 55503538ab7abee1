"""Completes the OpenAPI document that FastAPI builds: the ways in, and answers that may grow."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from firstcause.intake.answers import EventReceipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_PREFIX = "#/components/schemas/"

RECEIPT_REFERENCE = {"$ref": f"{_PREFIX}{EventReceipt.__name__}"}
"""Stands for the schema of the answer to a sender of events."""


def defer_schema(
    build_document: Callable[[], dict[str, Any]], intake_paths: Mapping[str, Any]
) -> Callable[[], dict[str, Any]]:
    """Return a function that builds the completed document at its first call.

    A daemon that nobody asks for the document starts without it: building it costs as much as reading all
    shipped rules.
    """

    lock = Lock()

    @cache
    def build() -> dict[str, Any]:
        document = build_document()
        complete_schema(document, intake_paths)
        return document

    def build_once() -> dict[str, Any]:
        with lock:  # those who ask at once share one document, which completing changes
            return build()

    return build_once


def complete_schema(document: dict[str, Any], intake_paths: Mapping[str, Any]) -> None:
    """Add the ways in to an OpenAPI document, and let answers have further fields.

    The contract says that fields may be added to answers. A request with an unknown field stays an error.
    """
    schemas = document["components"]["schemas"]
    operations = [call for methods in document["paths"].values() for call in methods.values()]
    requests = [call["requestBody"] for call in operations if "requestBody" in call]
    request_names = set(_find_references(requests, schemas))
    receipt = EventReceipt.model_json_schema(mode="serialization", ref_template=f"{_PREFIX}{{model}}")
    schemas |= receipt.pop("$defs") | {EventReceipt.__name__: receipt}
    for name in schemas.keys() - request_names:
        if schemas[name].get("additionalProperties") is False:
            del schemas[name]["additionalProperties"]
    document["paths"] |= intake_paths


def _find_references(part: Any, schemas: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of all schemas that a part of the document needs."""
    if isinstance(part, dict):
        name = str(part.get("$ref", "")).removeprefix(_PREFIX)
        if name:
            yield name
            yield from _find_references(schemas[name], schemas)
        for value in part.values():
            yield from _find_references(value, schemas)
    elif isinstance(part, list):
        for value in part:
            yield from _find_references(value, schemas)
