"""What can be asked over HTTP. Each function asks the backend and passes its answer on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from firstcause.core.text.durations import Duration
from firstcause.web.backend import Asked  # noqa: TC001 - FastAPI reads the annotations

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


class Pin(BaseModel):
    """Whose word it is that a state is good. undo: the rules choose again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str = Field(default="web", min_length=1, max_length=200)
    undo: bool = False


Minutes = Annotated[float, Query(gt=0, le=60 * 24 * 400, allow_inf_nan=False)]
Fix = Annotated[str | None, Body(embed=True, max_length=10_000)]
By = Annotated[str, Body(embed=True, min_length=1, max_length=200)]
Limit = Annotated[int, Query(ge=1, le=1000)]


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
def resolve(number: str, backend: Asked, fix: Fix = None, by: By = "web") -> dict[str, Any]:
    return backend.resolve(number, fix, by)


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
def end_silence(
    number: str, backend: Asked, by: Annotated[str, Query(max_length=200)] = "web"
) -> dict[str, Any]:
    return backend.end_silence(number, by)


@router.post("/api/v1/probes/{name}/run")
def run_probe(name: str, backend: Asked) -> dict[str, Any]:
    return backend.run_probe(name)


@router.get("/api/v1/remedies")
def remedies(backend: Asked) -> dict[str, Any]:
    return {"remedies": backend.remedies()}


@router.get("/api/v1/remedies/{name}")
def plan_remedy(name: str, backend: Asked) -> dict[str, Any]:
    """What it would do."""
    return backend.plan_remedy(name)


@router.post("/api/v1/remedies/{name}/run")
def run_remedy(name: str, backend: Asked, by: By = "web") -> dict[str, Any]:
    return backend.run_remedy(name, by)


@router.get("/api/v1/catalog")
def catalog(backend: Asked) -> dict[str, Any]:
    return {"entries": backend.catalog()}


@router.get("/api/v1/health")
def health(backend: Asked) -> dict[str, Any]:
    return backend.health()


@router.post("/api/v1/check")
def check(backend: Asked) -> dict[str, Any]:
    """One full health check, now."""
    return backend.check()


@router.get("/api/v1/snapshots")
def snapshots(backend: Asked, limit: Limit = 50) -> dict[str, Any]:
    return {"snapshots": backend.snapshots(limit)}


@router.get("/api/v1/snapshots/{name}")
def snapshot(name: str, backend: Asked) -> dict[str, Any]:
    """name: a number, `latest`, or `good` for the last known good state."""
    return backend.snapshot(name)


@router.post("/api/v1/snapshots/{name}/pin")
def pin(name: str, backend: Asked, given: Pin | None = None) -> dict[str, Any]:
    said = given or Pin()
    return backend.pin(name, said.by, undo=said.undo)


@router.get("/api/v1/diff")
def diff(backend: Asked, before: str = "good", after: str = "latest") -> dict[str, Any]:
    return backend.diff(before, after)


@router.get("/api/v1/trend")
def trend(backend: Asked, metric: str, minutes: Minutes = 1440.0) -> dict[str, Any]:
    return backend.trend(metric, minutes)


@router.get("/api/v1/forecast")
def forecast(
    backend: Asked, metric: str, limit: float | None = None, minutes: Minutes = 1440.0
) -> dict[str, Any]:
    return backend.forecast(metric, limit, minutes)


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
