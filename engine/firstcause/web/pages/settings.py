"""The settings page: routes, silences, plugins, retention, audit log; and test messages (drills)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from firstcause.notify.drills import DRILL_CODE
from firstcause.web.dependencies import AppDep, ViewsDep, utc_now
from firstcause.web.pages.forms import ActorDep, ConfirmForm, actor_field, render_form
from firstcause.web.pages.rendering import render

router = APIRouter()

_MAX_AUDIT_ENTRIES = 50


@router.get("/settings")
def show_settings(request: Request, app: AppDep, views: ViewsDep) -> HTMLResponse:
    change_token = views.change_token()
    return render(
        request,
        "settings.html",
        change_token=change_token,
        **views.load_settings(),
        silences=app.silences.list_silences(utc_now(), include_ended=False),
        audit=views.list_audit_entries(_MAX_AUDIT_ENTRIES),
        status=app.monitoring.get_status(utc_now()),
    )


@router.get("/drill")
def ask_drill(request: Request, route: str) -> HTMLResponse:
    text = f"Sends a test alert, marked as a drill, through the route {route!r}. The phone should ring."
    form = ConfirmForm(
        "Send a test",
        text,
        f"/drill?{_encode_route(route)}",
        "Send it",
        "/settings#routes",
        actor_field(request),
    )
    return render_form(request, form)


@router.post("/drill")
def send_drill(request: Request, app: AppDep, route: str, actor: ActorDep) -> Response:
    _ = request
    return RedirectResponse(
        f"/drills/{app.notifications.send_drill(DRILL_CODE, route, utc_now(), actor)}", 303
    )


@router.get("/drills/{event}")
def show_drill(event: str, request: Request, app: AppDep, views: ViewsDep) -> HTMLResponse:
    change_token = views.change_token()
    return render(
        request,
        "drill_result.html",
        change_token=change_token,
        drill=app.notifications.get_drill_outcome(event),
    )


def _encode_route(route: str) -> str:
    from urllib.parse import urlencode  # noqa: PLC0415

    return urlencode({"route": route})
