"""What can be asked over HTTP. Each function asks the backend and passes its answer on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from firstcause.core.text.durations import Duration
from firstcause.web.backend import AppDep  # noqa: TC001 - FastAPI reads the annotations

router = APIRouter()

_MEDIA_TYPES = {"text": "text/plain", "markdown": "text/markdown", "json": "application/json"}
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
    backend: AppDep, status: Literal["open", "resolved", "merged"] | None = None, limit: Limit = 50
) -> dict[str, Any]:
    return {"incidents": backend.incidents(status, limit)}


@router.get("/api/v1/incidents/{number}")
def get_incident(number: str, backend: AppDep) -> dict[str, Any]:
    return backend.incident(number)


@router.get("/api/v1/incidents/{number}/debug")
def get_debug_report(
    number: str,
    backend: AppDep,
    form: Annotated[Literal["text", "markdown", "json"], Query(alias="format")] = "json",
) -> Response:
    return Response(
        backend.render_debug_report(number, form), media_type=f"{_MEDIA_TYPES[form]}; charset=utf-8"
    )


@router.get("/api/v1/incidents/{number}/explain")
def explain_incident(number: str, backend: AppDep) -> dict[str, Any]:
    return backend.explain(number)


@router.post("/api/v1/incidents/{number}/resolve")
def resolve_incident(number: str, backend: AppDep, fix: Fix = None, by: By = "web") -> dict[str, Any]:
    return backend.resolve(number, fix, by)


@router.post("/api/v1/incidents/{number}/ack")
def acknowledge_incident(number: str, backend: AppDep, ack: Ack = Ack()) -> dict[str, Any]:  # noqa: B008 - a value
    return backend.acknowledge(number, ack.by, ack.comment, undo=ack.undo)


@router.post("/api/v1/incidents/{number}/merge")
def merge_incidents(number: str, backend: AppDep, body: Merge) -> dict[str, Any]:
    return backend.merge(number, body.into, body.by, body.reason)


@router.post("/api/v1/incidents/{number}/split")
def split_incident(number: str, backend: AppDep, body: Split) -> dict[str, Any]:
    return backend.split(number, body.alerts, body.by, body.reason)


@router.get("/api/v1/silences")
def list_silences(backend: AppDep, ended: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a query
    return {"silences": backend.silences(ended=ended)}


@router.post("/api/v1/silences", status_code=201)
def create_silence(backend: AppDep, body: NewSilence) -> dict[str, Any]:
    return backend.silence(body.matchers, body.length, body.by, body.comment)


@router.delete("/api/v1/silences/{number}")
def end_silence(
    number: str, backend: AppDep, by: Annotated[str, Query(max_length=200)] = "web"
) -> dict[str, Any]:
    return backend.end_silence(number, by)


@router.post("/api/v1/probes/{name}/run")
def run_probe(name: str, backend: AppDep) -> dict[str, Any]:
    return backend.run_probe(name)


@router.get("/api/v1/remedies")
def list_remedies(backend: AppDep) -> dict[str, Any]:
    return {"remedies": backend.remedies()}


@router.get("/api/v1/remedies/{name}")
def plan_remedy(name: str, backend: AppDep) -> dict[str, Any]:
    """What it would do."""
    return backend.plan_remedy(name)


@router.post("/api/v1/remedies/{name}/run")
def run_remedy(name: str, backend: AppDep, by: By = "web") -> dict[str, Any]:
    return backend.run_remedy(name, by)


@router.get("/api/v1/catalog")
def list_catalog(backend: AppDep) -> dict[str, Any]:
    return {"entries": backend.catalog()}


@router.get("/api/v1/health")
def get_health(backend: AppDep) -> dict[str, Any]:
    return backend.health()


@router.post("/api/v1/check")
def run_check(backend: AppDep) -> dict[str, Any]:
    """One full health check, now."""
    return backend.check()


@router.get("/api/v1/snapshots")
def list_snapshots(backend: AppDep, limit: Limit = 50) -> dict[str, Any]:
    return {"snapshots": backend.snapshots(limit)}


@router.get("/api/v1/snapshots/{name}")
def get_snapshot(name: str, backend: AppDep) -> dict[str, Any]:
    """name: a number, `latest`, or `good` for the last known good state."""
    return backend.snapshot(name)


@router.post("/api/v1/snapshots/{name}/pin")
def pin_snapshot(name: str, backend: AppDep, body: Pin | None = None) -> dict[str, Any]:
    options = body or Pin()
    return backend.pin(name, options.by, undo=options.undo)


@router.get("/api/v1/diff")
def get_diff(backend: AppDep, before: str = "good", after: str = "latest") -> dict[str, Any]:
    return backend.diff(before, after)


@router.get("/api/v1/trend")
def get_trend(backend: AppDep, metric: str, minutes: Minutes = 1440.0) -> dict[str, Any]:
    return backend.trend(metric, minutes)


@router.get("/api/v1/forecast")
def get_forecast(
    backend: AppDep, metric: str, limit: float | None = None, minutes: Minutes = 1440.0
) -> dict[str, Any]:
    return backend.forecast(metric, limit, minutes)


@router.get("/api/v1/status")
def get_status(backend: AppDep) -> dict[str, Any]:
    return backend.status()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers; no more."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(backend: AppDep) -> JSONResponse:
    """Every part works; else 503 and which does not."""
    parts = backend.ready()
    is_ready = all(state == "ok" for state in parts.values())
    return JSONResponse(
        {"status": "ok" if is_ready else "unready", "checks": parts}, 200 if is_ready else _UNAVAILABLE
    )
