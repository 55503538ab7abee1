"""The API reference page, rendered from the OpenAPI document without third-party scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping  # noqa: TC003 - FastAPI reads the annotations of the module
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse  # noqa: TC002

from firstcause.web.pages.rendering import render

router = APIRouter()

SCHEMA_PATH = "/api/openapi.json"


@router.get("/docs")
def show_calls(request: Request) -> HTMLResponse:
    openapi = request.app.openapi()
    return render(request, "api.html", calls=list(_list_calls(openapi)), schema=SCHEMA_PATH)


def _list_calls(openapi: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield {method, path, about, parameters: [{name, where, type, about}]} for each operation, by path."""
    schemas = openapi.get("components", {}).get("schemas", {})
    for path, methods in sorted(openapi["paths"].items()):
        for method, call in methods.items():
            parameters = [
                _describe_parameter(parameter["name"], parameter["in"], parameter["schema"])
                for parameter in call.get("parameters", ())
            ]
            yield {
                "method": method.upper(),
                "path": path,
                "about": call.get("description") or call.get("summary", ""),
                "parameters": [*parameters, *_list_body_parameters(call, schemas)],
            }


def _list_body_parameters(call: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for content in call.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        for part in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
            definition = schemas.get(part.get("$ref", "").rpartition("/")[2], {})
            for name, field in definition.get("properties", {}).items():
                yield _describe_parameter(name, "body", field)


def _describe_parameter(name: str, location: str, schema: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": name,
        "where": location,
        "type": _describe_type(schema),
        "about": schema.get("description", ""),
    }


def _describe_type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(
            dict.fromkeys(
                _describe_type(option) for option in schema["anyOf"] if option.get("type") != "null"
            )
        )
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = str(schema.get("type", "value"))
    return f"list of {_describe_type(schema['items'])}" if kind == "array" and "items" in schema else kind
