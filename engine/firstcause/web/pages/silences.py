"""Forms to create and end silences."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response  # noqa: TC002

from firstcause.core.text.durations import parse_duration
from firstcause.errors import IntakeError
from firstcause.web.dependencies import AppDep, utc_now
from firstcause.web.pages.forms import (
    ActorDep,
    ConfirmForm,
    FormDep,
    FormField,
    actor_field,
    redirect_back,
    render_form,
)

router = APIRouter(prefix="/silences")

_SILENCES_URL = "/settings#silences"


@router.get("/new")
def ask_create(request: Request) -> HTMLResponse:
    matchers = FormField(
        "matchers",
        "Matchers, one a line",
        kind="area",
        help_text="For example code=REDIS_SLOW, tenant!=acme, service=~web.*; all of them must match.",
        required=True,
    )
    length = FormField("for", "Duration", "2h", help_text="For example 30m, 2h, 1d", required=True)
    fields = (matchers, length, FormField("comment", "Why", kind="area"), *actor_field(request))
    text = "No notifications for matching errors. They stay on the page and keep counting."
    return render_form(
        request, ConfirmForm("New silence", text, "/silences/new", "Silence", _SILENCES_URL, fields)
    )


@router.post("/new")
def create_silence(request: Request, app: AppDep, actor: ActorDep, fields: FormDep) -> Response:
    matchers = [line.strip() for line in fields.get("matchers", "").splitlines() if line.strip()]
    try:
        length = parse_duration(fields.get("for", ""))
    except ValueError as error:
        raise IntakeError(str(error)) from None
    app.silences.create(
        matchers, utc_now(), duration_s=length, actor=actor, comment=fields.get("comment") or None
    )
    return redirect_back(request, _SILENCES_URL, actor)


@router.get("/{number}/end")
def ask_end(number: str, request: Request) -> HTMLResponse:
    text = "Incidents that are still open are then notified."
    action = f"/silences/{number}/end"
    return render_form(
        request,
        ConfirmForm(f"End silence {number}", text, action, "End it", _SILENCES_URL, actor_field(request)),
    )


@router.post("/{number}/end")
def end_silence(number: str, request: Request, app: AppDep, actor: ActorDep) -> Response:
    app.silences.end(number, utc_now(), actor)
    return redirect_back(request, _SILENCES_URL, actor)
