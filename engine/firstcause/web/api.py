"""The API over HTTP. Each route makes one call into the application and returns its answer.

The `response_model` of a route is its schema. The answer is sent without validation, as an answer with a
surprise in it helps more than an error. tests/web/test_answers.py validates the answers of all routes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from firstcause.app.answers import LivenessAnswer, PluginList, ReadinessAnswer, StatusAnswer
from firstcause.core.incidents.debug_report import DebugReport
from firstcause.core.selfcheck.conditions import Level
from firstcause.core.text.durations import Duration
from firstcause.health.answers import (
    CheckAnswer,
    DiffAnswer,
    ForecastAnswer,
    HealthAnswer,
    ProbeAnswer,
    SnapshotAnswer,
    SnapshotList,
    TrendAnswer,
)
from firstcause.incidents.answers import (
    EntryList,
    ExplanationAnswer,
    IncidentAnswer,
    IncidentList,
    RemedyList,
    RemedyPlan,
    RemedyResult,
    SilenceAnswer,
    SilenceList,
)
from firstcause.incidents.serializers import serialize_entry
from firstcause.incidents.silence_service import serialize_silence
from firstcause.web.dependencies import AppDep, SessionActorDep, utc_now

router = APIRouter()

_MEDIA_TYPES = {"text": "text/plain", "markdown": "text/markdown", "json": "application/json"}
_TEXT_FORMATS = {_MEDIA_TYPES[form]: {"schema": {"type": "string"}} for form in ("text", "markdown")}
_CREATED = 201
_UNAVAILABLE = 503


class AnswerResponse(Response):
    """An answer as JSON. A number that JSON lacks becomes null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return to_json(content, inf_nan_mode="null")


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


@router.get("/api/v1/incidents", response_model=IncidentList)
def list_incidents(
    app: AppDep, status: Literal["open", "resolved", "merged"] | None = None, limit: Limit = 50
) -> AnswerResponse:
    return AnswerResponse({"incidents": app.incidents.list_incidents(status, limit)})


@router.get("/api/v1/incidents/{number}", response_model=IncidentAnswer)
def get_incident(number: str, app: AppDep) -> AnswerResponse:
    return AnswerResponse(app.incidents.get_incident(number))


@router.get(
    "/api/v1/incidents/{number}/debug",
    response_model=DebugReport,
    responses={200: {"content": _TEXT_FORMATS}},
)
def get_debug_report(
    number: str,
    app: AppDep,
    form: Annotated[Literal["text", "markdown", "json"], Query(alias="format")] = "json",
) -> Response:
    return Response(
        app.incidents.render_debug_report(number, form, utc_now()),
        media_type=f"{_MEDIA_TYPES[form]}; charset=utf-8",
    )


@router.get("/api/v1/incidents/{number}/explain", response_model=ExplanationAnswer)
def explain_incident(number: str, app: AppDep) -> AnswerResponse:
    return AnswerResponse(app.incidents.explain(number, utc_now()))


@router.post("/api/v1/incidents/{number}/resolve", response_model=IncidentAnswer)
def resolve_incident(
    number: str, app: AppDep, session: SessionActorDep, fix: Fix = None, by: By = "web"
) -> AnswerResponse:
    return AnswerResponse(app.incidents.resolve(number, utc_now(), fix=fix, actor=session or by))


@router.post("/api/v1/incidents/{number}/ack", response_model=IncidentAnswer)
def acknowledge_incident(
    number: str,
    app: AppDep,
    session: SessionActorDep,
    ack: Ack = Ack(),  # noqa: B008 - a value
) -> AnswerResponse:
    act = app.incidents.unacknowledge if ack.undo else app.incidents.acknowledge
    return AnswerResponse(act(number, utc_now(), session or ack.by, ack.comment))


@router.post("/api/v1/incidents/{number}/merge", response_model=IncidentAnswer)
def merge_incidents(number: str, app: AppDep, session: SessionActorDep, body: Merge) -> AnswerResponse:
    actor = session or body.by
    return AnswerResponse(app.incidents.merge(number, body.into, utc_now(), actor, body.reason))


@router.post("/api/v1/incidents/{number}/split", response_model=IncidentAnswer)
def split_incident(number: str, app: AppDep, session: SessionActorDep, body: Split) -> AnswerResponse:
    actor = session or body.by
    return AnswerResponse(app.incidents.split(number, body.alerts, utc_now(), actor, body.reason))


@router.get("/api/v1/silences", response_model=SilenceList)
def list_silences(app: AppDep, ended: bool = False) -> AnswerResponse:  # noqa: FBT001, FBT002 - a query
    return AnswerResponse({"silences": app.silences.list_silences(utc_now(), include_ended=ended)})


@router.post("/api/v1/silences", response_model=SilenceAnswer, status_code=_CREATED)
def create_silence(app: AppDep, session: SessionActorDep, body: NewSilence) -> AnswerResponse:
    now = utc_now()
    silence = app.silences.create(
        body.matchers, now, duration_s=body.length, actor=session or body.by, comment=body.comment
    )
    return AnswerResponse(serialize_silence(silence, now), _CREATED)


@router.delete("/api/v1/silences/{number}", response_model=SilenceAnswer)
def end_silence(
    number: str, app: AppDep, session: SessionActorDep, by: Annotated[str, Query(max_length=200)] = "web"
) -> AnswerResponse:
    now = utc_now()
    return AnswerResponse(serialize_silence(app.silences.end(number, now, session or by), now))


@router.post("/api/v1/probes/{name}/run", response_model=ProbeAnswer)
def run_probe(name: str, app: AppDep) -> AnswerResponse:
    return AnswerResponse(app.health.run_probe(name, utc_now()))


@router.get("/api/v1/remedies", response_model=RemedyList)
def list_remedies(app: AppDep) -> AnswerResponse:
    return AnswerResponse({"remedies": app.remedies.list_remedies()})


@router.get("/api/v1/remedies/{name}", response_model=RemedyPlan)
def plan_remedy(name: str, app: AppDep) -> AnswerResponse:
    """What it would do."""
    return AnswerResponse(app.remedies.plan(name))


@router.post("/api/v1/remedies/{name}/run", response_model=RemedyResult)
def run_remedy(name: str, app: AppDep, session: SessionActorDep, by: By = "web") -> AnswerResponse:
    return AnswerResponse(app.remedies.run(name, utc_now(), session or by))


@router.get("/api/v1/catalog", response_model=EntryList)
def list_catalog(app: AppDep) -> AnswerResponse:
    return AnswerResponse(
        {"entries": [serialize_entry(entry) for entry in app.rules.catalog.entries.values()]}
    )


@router.get("/api/v1/health", response_model=HealthAnswer)
def get_health(app: AppDep) -> AnswerResponse:
    return AnswerResponse(app.health.get_health())


@router.post("/api/v1/check", response_model=CheckAnswer)
def run_check(app: AppDep) -> AnswerResponse:
    """One full health check, now."""
    return AnswerResponse(app.monitoring.check(utc_now()))


@router.get("/api/v1/snapshots", response_model=SnapshotList)
def list_snapshots(app: AppDep, limit: Limit = 50) -> AnswerResponse:
    return AnswerResponse({"snapshots": app.health.history.list_snapshots(limit)})


@router.get("/api/v1/snapshots/{name}", response_model=SnapshotAnswer)
def get_snapshot(name: str, app: AppDep) -> AnswerResponse:
    """name: a number, `latest`, or `good` for the last known good state."""
    return AnswerResponse(app.health.history.get_snapshot(name))


@router.post("/api/v1/snapshots/{name}/pin", response_model=SnapshotAnswer)
def pin_snapshot(name: str, app: AppDep, session: SessionActorDep, body: Pin | None = None) -> AnswerResponse:
    options = body or Pin()
    actor = session or options.by
    history = app.health.history
    if not options.undo:
        return AnswerResponse(history.pin(name, utc_now(), actor))
    history.unpin(utc_now(), actor)
    return AnswerResponse(history.get_snapshot(name))


@router.get("/api/v1/diff", response_model=DiffAnswer)
def get_diff(app: AppDep, before: str = "good", after: str = "latest") -> AnswerResponse:
    return AnswerResponse(app.health.history.diff(before, after))


@router.get("/api/v1/trend", response_model=TrendAnswer)
def get_trend(app: AppDep, metric: str, minutes: Minutes = 1440.0) -> AnswerResponse:
    return AnswerResponse(app.health.history.get_trend(metric, minutes, utc_now()))


@router.get("/api/v1/forecast", response_model=ForecastAnswer)
def get_forecast(
    app: AppDep, metric: str, limit: float | None = None, minutes: Minutes = 1440.0
) -> AnswerResponse:
    return AnswerResponse(app.health.history.forecast(metric, limit, minutes, utc_now()))


@router.get("/api/v1/plugins", response_model=PluginList)
def list_plugins(app: AppDep) -> AnswerResponse:
    """The plugins with their problems, and what their calls cost since the start."""
    return AnswerResponse(app.monitoring.describe_plugins())


@router.get("/api/v1/status", response_model=StatusAnswer)
def get_status(app: AppDep) -> AnswerResponse:
    return AnswerResponse(app.monitoring.get_status(utc_now()))


@router.get("/healthz", response_model=LivenessAnswer)
async def healthz(request: Request) -> JSONResponse:
    """The process answers and its loops are alive; else 503."""
    # Without a thread of the pool, which may be full of questions that wait for a store that hangs.
    stalled = request.app.state.application.monitoring.list_stalled_loops()
    status = "stalled" if stalled else "ok"
    return JSONResponse({"status": status, "loops": stalled}, _UNAVAILABLE if stalled else 200)


@router.get("/readyz", response_model=ReadinessAnswer)
def readyz(app: AppDep) -> JSONResponse:
    """Errors are handled; else 503. What else does not work is listed."""
    answer = app.monitoring.check_readiness(utc_now())
    return JSONResponse(answer, _UNAVAILABLE if answer["status"] == Level.UNREADY else 200)
