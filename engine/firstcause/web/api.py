"""What can be asked over HTTP. Each function asks the backend and passes its answer on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from firstcause.core.durations import Duration
from firstcause.intake.body import decompressed, too_large
from firstcause.intake.native import Parsed, parse
from firstcause.service import new_id
from firstcause.web.backend import Asked, Backend  # noqa: TC001 - FastAPI reads the annotations

if TYPE_CHECKING:
    from firstcause.config import Intake
    from firstcause.core.model import Event

router = APIRouter()

_FORMS = {"text": "text/plain", "markdown": "text/markdown", "json": "application/json"}
_UNAVAILABLE = 503


class Ack(BaseModel):
    """Who is at it. undo: nobody any more."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(default="web", min_length=1, max_length=200)
    comment: str | None = Field(default=None, max_length=10_000)
    undo: bool = False


class Merge(BaseModel):
    """into: id of the incident in which it lives on."""

    model_config = ConfigDict(extra="forbid")

    into: str
    by: str = Field(default="web", min_length=1, max_length=200)
    reason: str | None = Field(default=None, max_length=10_000)


class Split(BaseModel):
    """alerts: ids of those that have a cause of their own."""

    model_config = ConfigDict(extra="forbid")

    alerts: list[str] = Field(min_length=1, max_length=1000)
    by: str = Field(default="web", min_length=1, max_length=200)
    reason: str | None = Field(default=None, max_length=10_000)


class NewSilence(BaseModel):
    """for: a length of time, such as 2h."""

    model_config = ConfigDict(extra="forbid")

    matchers: list[str] = Field(min_length=1, max_length=20)
    length: Duration = Field(alias="for")
    by: str = Field(default="web", min_length=1, max_length=200)
    comment: str | None = Field(default=None, max_length=10_000)


Fix = Annotated[str | None, Body(embed=True, max_length=10_000)]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.post("/api/v1/events")
async def take_events(request: Request, backend: Asked) -> Response:
    """202 once they are on disk."""
    limits: Intake = request.app.state.limits
    body = await _read(request, limits.max_request_bytes)
    encoding = request.headers.get("content-encoding", "")
    content_type = request.headers.get("content-type", "").lower()
    parsed = await run_in_threadpool(_parsed, body, encoding, content_type, limits)
    if parsed.events:
        await _stored(backend, parsed.events)
    return JSONResponse(_receipt(parsed), _status(parsed))


def _parsed(body: bytes, encoding: str, content_type: str, limits: Intake) -> Parsed:
    plain = decompressed(body, encoding, limits.max_request_bytes)
    return parse(
        plain, content_type, now=datetime.now(UTC), new_id=new_id, max_event_bytes=limits.max_event_bytes
    )


async def _stored(backend: Backend, events: list[Event]) -> None:
    # Masking, which submit does first, would hold up every other request.
    future = await run_in_threadpool(backend.submit, events)
    await asyncio.wrap_future(future)


def _receipt(parsed: Parsed) -> dict[str, Any]:
    rejected = [{"index": each.index, "error": each.error} for each in parsed.rejected]
    receipt: dict[str, Any] = {"accepted": len(parsed.events), "rejected": rejected}
    if rejected and not parsed.events:
        receipt["error"] = parsed.rejected[0].error
    return receipt


def _status(parsed: Parsed) -> int:
    return parsed.rejected[0].status if parsed.rejected and not parsed.events else 202


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


@router.get("/api/v1/incidents")
def list_incidents(
    backend: Asked, status: Literal["open", "resolved", "merged"] | None = None, limit: Limit = 50
) -> dict[str, Any]:
    return {"incidents": backend.incidents(status, limit)}


@router.get("/api/v1/incidents/{number}")
def one_incident(number: str, backend: Asked) -> dict[str, Any]:
    return backend.incident(number)


@router.get("/api/v1/incidents/{number}/debug")
def debug(
    number: str,
    backend: Asked,
    form: Annotated[Literal["text", "markdown", "json"], Query(alias="format")] = "json",
) -> Response:
    return Response(backend.debug_as(number, form), media_type=f"{_FORMS[form]}; charset=utf-8")


@router.get("/api/v1/incidents/{number}/explain")
def explain(number: str, backend: Asked) -> dict[str, Any]:
    return backend.explain(number)


@router.post("/api/v1/incidents/{number}/resolve")
def resolve(number: str, backend: Asked, fix: Fix = None) -> dict[str, Any]:
    return backend.resolve(number, fix)


@router.post("/api/v1/incidents/{number}/ack")
def acknowledge(number: str, backend: Asked, ack: Ack = Ack()) -> dict[str, Any]:  # noqa: B008 - a value
    return backend.acknowledge(number, ack.by, ack.comment, undo=ack.undo)


@router.post("/api/v1/incidents/{number}/merge")
def merge(number: str, backend: Asked, wanted: Merge) -> dict[str, Any]:
    return backend.merge(number, wanted.into, wanted.by, wanted.reason)


@router.post("/api/v1/incidents/{number}/split")
def split(number: str, backend: Asked, wanted: Split) -> dict[str, Any]:
    return backend.split(number, wanted.alerts, wanted.by, wanted.reason)


@router.get("/api/v1/silences")
def list_silences(backend: Asked, ended: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a query
    return {"silences": backend.silences(ended=ended)}


@router.post("/api/v1/silences", status_code=201)
def add_silence(backend: Asked, wanted: NewSilence) -> dict[str, Any]:
    return backend.silence(wanted.matchers, wanted.length, wanted.by, wanted.comment)


@router.delete("/api/v1/silences/{number}")
def end_silence(number: str, backend: Asked) -> dict[str, Any]:
    return backend.end_silence(number)


@router.post("/api/v1/probes/{name}/run")
def run_probe(name: str, backend: Asked) -> dict[str, Any]:
    return backend.run_probe(name)


@router.get("/api/v1/catalog")
def catalog(backend: Asked) -> dict[str, Any]:
    return {"entries": backend.catalog()}


@router.get("/api/v1/health")
def health(backend: Asked) -> dict[str, Any]:
    return backend.health()


@router.get("/api/v1/status")
def status(backend: Asked) -> dict[str, Any]:
    return backend.status()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers; no more."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(backend: Asked) -> JSONResponse:
    """Every part works; else 503 and which does not."""
    parts = backend.ready()
    well = all(said == "ok" for said in parts.values())
    return JSONResponse(
        {"status": "ok" if well else "unready", "checks": parts}, 200 if well else _UNAVAILABLE
    )
