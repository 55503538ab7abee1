"""The incident page: cause, explanation, impact and fix, and the forms to act on the incident."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response  # noqa: TC002

from firstcause.core.incidents.debug_report import as_text
from firstcause.core.incidents.incident_filter import IncidentFilter
from firstcause.core.text.durations import parse_duration
from firstcause.errors import IntakeError
from firstcause.web import svg
from firstcause.web.dependencies import AppDep, ViewsDep, utc_now
from firstcause.web.pages.forms import (
    SILENCE_LENGTHS,
    ActorDep,
    ConfirmForm,
    FormDep,
    FormField,
    actor_field,
    redirect_back,
    render_form,
)
from firstcause.web.pages.rendering import render

router = APIRouter(prefix="/incidents/{number}")

_MAX_SHOWN_ALERTS = 50
_MAX_MERGE_CHOICES = 100
_MAX_SHOWN_PARTS = 10


@router.get("")
def show_incident(number: str, request: Request, views: ViewsDep) -> HTMLResponse:
    change_token = views.change_token()
    details = views.load_incident(number, utc_now(), change_token)
    graph = svg.layout_graph(details["graph"]["nodes"], details["graph"]["edges"])
    return render(
        request,
        "incident.html",
        change_token=change_token,
        **{**details, "graph": graph},
        debug=as_text(details["report"]),
        shown_alerts=_MAX_SHOWN_ALERTS,
        shown_parts=_MAX_SHOWN_PARTS,
    )


def _load_title(app: AppDep, incident_id: str) -> str:
    return str(app.incidents.get_incident(incident_id)["title"])


def _incident_url(incident_id: str) -> str:
    return f"/incidents/{incident_id}"


@router.get("/ack")
def ask_acknowledge(number: str, request: Request, app: AppDep) -> HTMLResponse:
    incident_url = _incident_url(number)
    comment = FormField("comment", "What you are doing (optional)", kind="area")
    text = "You take this incident. Reminders stop unless its priority rises."
    fields = (*actor_field(request), comment)
    form = ConfirmForm(
        f"Acknowledge: {_load_title(app, number)}",
        text,
        f"{incident_url}/ack",
        "Acknowledge",
        incident_url,
        fields,
    )
    return render_form(request, form)


@router.post("/ack")
def acknowledge(number: str, request: Request, app: AppDep, actor: ActorDep, fields: FormDep) -> Response:
    app.incidents.acknowledge(number, utc_now(), actor, fields.get("comment") or None)
    return redirect_back(request, _incident_url(number), actor)


@router.get("/unacknowledge")
def ask_unacknowledge(number: str, request: Request, app: AppDep) -> HTMLResponse:
    incident_url = _incident_url(number)
    text = "Nobody is working on this incident any more. Reminders start again."
    form = ConfirmForm(
        f"Unacknowledge: {_load_title(app, number)}",
        text,
        f"{incident_url}/unacknowledge",
        "Unacknowledge",
        incident_url,
        actor_field(request),
    )
    return render_form(request, form)


@router.post("/unacknowledge")
def unacknowledge(number: str, request: Request, app: AppDep, actor: ActorDep) -> Response:
    app.incidents.unacknowledge(number, utc_now(), actor, None)
    return redirect_back(request, _incident_url(number), actor)


@router.get("/silence")
def ask_silence(number: str, request: Request, app: AppDep) -> HTMLResponse:
    incident_url = _incident_url(number)
    root = app.incidents.get_incident(number)["root"]
    root_label = ", ".join(str(value) for value in root.values() if value)
    text = f"No notifications about {root_label} meanwhile. The incident stays visible and keeps counting."
    fields = (
        FormField("for", "Duration", "2h", kind="choice", choices=SILENCE_LENGTHS),
        FormField("comment", "Why", kind="area"),
        *actor_field(request),
    )
    form = ConfirmForm(
        f"Silence: {_load_title(app, number)}",
        text,
        f"{incident_url}/silence",
        "Silence",
        incident_url,
        fields,
    )
    return render_form(request, form)


@router.post("/silence")
def silence(number: str, request: Request, app: AppDep, actor: ActorDep, fields: FormDep) -> Response:
    length = fields.get("for", "")
    if length not in dict(SILENCE_LENGTHS):
        msg = f"{length!r} is not a duration that the form offers"
        raise IntakeError(msg)
    app.silences.create(
        app.silences.build_incident_matchers(number),
        utc_now(),
        duration_s=parse_duration(length),
        actor=actor,
        comment=fields.get("comment") or None,
    )
    return redirect_back(request, _incident_url(number), actor)


@router.get("/merge")
def ask_merge(number: str, request: Request, app: AppDep) -> HTMLResponse:
    incident_url = _incident_url(number)
    answer = app.incidents.search_incidents(IncidentFilter(), "open", _MAX_MERGE_CHOICES)
    choices = tuple(
        (one["id"], f"#{one['id']} {one['title']}") for one in answer["incidents"] if one["id"] != number
    )
    fields = (
        FormField("into", "Its cause", kind="choice", choices=choices, required=True),
        FormField("reason", "Why", kind="area"),
        *actor_field(request),
    )
    text = "This incident is an effect of another one: it becomes part of that one, and so do later errors."
    title = f"Merge: {_load_title(app, number)}"
    form = ConfirmForm(title, text, f"{incident_url}/merge", "Merge", incident_url, fields)
    return render_form(request, form)


@router.post("/merge")
def merge(number: str, request: Request, app: AppDep, actor: ActorDep, fields: FormDep) -> Response:
    into = fields.get("into", "")
    app.incidents.merge(number, into, utc_now(), actor, fields.get("reason") or None)
    return redirect_back(request, _incident_url(into), actor)


@router.get("/resolve")
def ask_resolve(number: str, request: Request, app: AppDep) -> HTMLResponse:
    incident_url = _incident_url(number)
    text = "The incident is over. Its fix is suggested when the same cause returns."
    fields = (FormField("fix", "What fixed it", kind="area"), *actor_field(request))
    form = ConfirmForm(
        f"Resolve: {_load_title(app, number)}",
        text,
        f"{incident_url}/resolve",
        "Resolve",
        incident_url,
        fields,
    )
    return render_form(request, form)


@router.post("/resolve")
def resolve(number: str, request: Request, app: AppDep, actor: ActorDep, fields: FormDep) -> Response:
    app.incidents.resolve(number, utc_now(), fix=fields.get("fix") or None, actor=actor)
    return redirect_back(request, _incident_url(number), actor)
