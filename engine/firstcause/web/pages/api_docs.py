"""The calls that the API takes, as a page of ours: no script of another's, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping  # noqa: TC003 - FastAPI reads the annotations of the module
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse  # noqa: TC002

from firstcause.web.pages.rendering import show

router = APIRouter()

SCHEMA = "/api/openapi.json"


@router.get("/docs")
def calls(request: Request) -> HTMLResponse:
    described = request.app.openapi()
    return show(request, "calls.html", calls=list(_calls(described)), schema=SCHEMA)


def _calls(described: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """{method, path, about, parameters: [{name, where, type, about}]}, in the order of the paths."""
    shapes = described.get("components", {}).get("schemas", {})
    for path, methods in sorted(described["paths"].items()):
        for method, call in methods.items():
            given = [
                _parameter(each["name"], each["in"], each["schema"]) for each in call.get("parameters", ())
            ]
            yield {
                "method": method.upper(),
                "path": path,
                "about": call.get("description") or call.get("summary", ""),
                "parameters": [*given, *_body(call, shapes)],
            }


def _body(call: Mapping[str, Any], shapes: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for content in call.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        for part in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
            shape = shapes.get(part.get("$ref", "").rpartition("/")[2], {})
            for name, field in shape.get("properties", {}).items():
                yield _parameter(name, "body", field)


def _parameter(name: str, where: str, schema: Mapping[str, Any]) -> dict[str, str]:
    return {"name": name, "where": where, "type": _type(schema), "about": schema.get("description", "")}


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(
            dict.fromkeys(_type(each) for each in schema["anyOf"] if each.get("type") != "null")
        )
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = str(schema.get("type", "value"))
    return f"list of {_type(schema['items'])}" if kind == "array" and "items" in schema else kind
