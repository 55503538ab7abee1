"""The API over HTTP. Each route makes one call into the application and returns its answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from firstcause.core.text.durations import Duration
from firstcause.incidents.serializers import serialize_entry
from firstcause.incidents.silence_service import serialize_silence
from firstcause.web.dependencies import AppDep, utc_now

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
    app: AppDep, status: Literal["open", "resolved", "merged"] | None = None, limit: Limit = 50
) -> dict[str, Any]:
    return {"incidents": app.incidents.list_incidents(status, limit)}


@router.get("/api/v1/incidents/{number}")
def get_incident(number: str, app: AppDep) -> dict[str, Any]:
    return app.incidents.get_incident(number)


@router.get("/api/v1/incidents/{number}/debug")
def get_debug_report(
    number: str,
    app: AppDep,
    form: Annotated[Literal["text", "markdown", "json"], Query(alias="format")] = "json",
) -> Response:
    return Response(
        app.incidents.render_debug_report(number, form, utc_now()),
        media_type=f"{_MEDIA_TYPES[form]}; charset=utf-8",
    )


@router.get("/api/v1/incidents/{number}/explain")
def explain_incident(number: str, app: AppDep) -> dict[str, Any]:
    return app.incidents.explain(number, utc_now())


@router.post("/api/v1/incidents/{number}/resolve")
def resolve_incident(number: str, app: AppDep, fix: Fix = None, by: By = "web") -> dict[str, Any]:
    return app.incidents.resolve(number, utc_now(), fix=fix, actor=by)


@router.post("/api/v1/incidents/{number}/ack")
def acknowledge_incident(number: str, app: AppDep, ack: Ack = Ack()) -> dict[str, Any]:  # noqa: B008 - a value
    act = app.incidents.unacknowledge if ack.undo else app.incidents.acknowledge
    return act(number, utc_now(), ack.by, ack.comment)


@router.post("/api/v1/incidents/{number}/merge")
def merge_incidents(number: str, app: AppDep, body: Merge) -> dict[str, Any]:
    return app.incidents.merge(number, body.into, utc_now(), body.by, body.reason)


@router.post("/api/v1/incidents/{number}/split")
def split_incident(number: str, app: AppDep, body: Split) -> dict[str, Any]:
    return app.incidents.split(number, body.alerts, utc_now(), body.by, body.reason)


@router.get("/api/v1/silences")
def list_silences(app: AppDep, ended: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a query
    return {"silences": app.silences.list_silences(utc_now(), include_ended=ended)}


@router.post("/api/v1/silences", status_code=201)
def create_silence(app: AppDep, body: NewSilence) -> dict[str, Any]:
    now = utc_now()
    silence = app.silences.create(
        body.matchers, now, duration_s=body.length, actor=body.by, comment=body.comment
    )
    return serialize_silence(silence, now)


@router.delete("/api/v1/silences/{number}")
def end_silence(
    number: str, app: AppDep, by: Annotated[str, Query(max_length=200)] = "web"
) -> dict[str, Any]:
    now = utc_now()
    return serialize_silence(app.silences.end(number, now, by), now)


@router.post("/api/v1/probes/{name}/run")
def run_probe(name: str, app: AppDep) -> dict[str, Any]:
    return app.health.run_probe(name, utc_now())


@router.get("/api/v1/remedies")
def list_remedies(app: AppDep) -> dict[str, Any]:
    return {"remedies": app.remedies.list_remedies()}


@router.get("/api/v1/remedies/{name}")
def plan_remedy(name: str, app: AppDep) -> dict[str, Any]:
    """What it would do."""
    return app.remedies.plan(name)


@router.post("/api/v1/remedies/{name}/run")
def run_remedy(name: str, app: AppDep, by: By = "web") -> dict[str, Any]:
    return app.remedies.run(name, utc_now(), by)


@router.get("/api/v1/catalog")
def list_catalog(app: AppDep) -> dict[str, Any]:
    return {"entries": [serialize_entry(entry) for entry in app.rules.catalog.entries.values()]}


@router.get("/api/v1/health")
def get_health(app: AppDep) -> dict[str, Any]:
    return app.health.get_health()


@router.post("/api/v1/check")
def run_check(app: AppDep) -> dict[str, Any]:
    """One full health check, now."""
    return app.health.check(utc_now())


@router.get("/api/v1/snapshots")
def list_snapshots(app: AppDep, limit: Limit = 50) -> dict[str, Any]:
    return {"snapshots": app.health.history.list_snapshots(limit)}


@router.get("/api/v1/snapshots/{name}")
def get_snapshot(name: str, app: AppDep) -> dict[str, Any]:
    """name: a number, `latest`, or `good` for the last known good state."""
    return app.health.history.get_snapshot(name)


@router.post("/api/v1/snapshots/{name}/pin")
def pin_snapshot(name: str, app: AppDep, body: Pin | None = None) -> dict[str, Any]:
    options = body or Pin()
    history = app.health.history
    if not options.undo:
        return history.pin(name, utc_now(), options.by)
    history.unpin(utc_now(), options.by)
    return history.get_snapshot(name)


@router.get("/api/v1/diff")
def get_diff(app: AppDep, before: str = "good", after: str = "latest") -> dict[str, Any]:
    return app.health.history.diff(before, after)


@router.get("/api/v1/trend")
def get_trend(app: AppDep, metric: str, minutes: Minutes = 1440.0) -> dict[str, Any]:
    return app.health.history.get_trend(metric, minutes, utc_now())


@router.get("/api/v1/forecast")
def get_forecast(
    app: AppDep, metric: str, limit: float | None = None, minutes: Minutes = 1440.0
) -> dict[str, Any]:
    return app.health.history.forecast(metric, limit, minutes, utc_now())


@router.get("/api/v1/status")
def get_status(app: AppDep) -> dict[str, Any]:
    return app.monitoring.get_status(utc_now())


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers; no more."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(app: AppDep) -> JSONResponse:
    """Every part works; else 503 and which does not."""
    parts = app.monitoring.check_readiness()
    is_ready = all(state == "ok" for state in parts.values())
    return JSONResponse(
        {"status": "ok" if is_ready else "unready", "checks": parts}, 200 if is_ready else _UNAVAILABLE
    )
