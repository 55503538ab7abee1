"""The settings page: routes, silences, plugins, retention, audit log; and test messages (drills)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from firstcause.web.backend import AppDep  # noqa: TC001
from firstcause.web.pages.forms import ActorDep, ConfirmForm, actor_field, render_form
from firstcause.web.pages.rendering import render

router = APIRouter()

_MAX_AUDIT_ENTRIES = 50


@router.get("/settings")
def show_settings(request: Request, backend: AppDep) -> HTMLResponse:
    change_token = backend.views.change_token()
    return render(
        request,
        "settings.html",
        change_token=change_token,
        **backend.views.load_settings(),
        silences=backend.silences(ended=False),
        audit=backend.views.list_audit_entries(_MAX_AUDIT_ENTRIES),
        status=backend.status(),
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
def send_drill(request: Request, backend: AppDep, route: str, actor: ActorDep) -> Response:
    _ = request
    return RedirectResponse(f"/drills/{backend.drill(route, actor)}", 303)


@router.get("/drills/{event}")
def show_drill(event: str, request: Request, backend: AppDep) -> HTMLResponse:
    change_token = backend.views.change_token()
    return render(
        request, "drill_result.html", change_token=change_token, drill=backend.get_drill_result(event)
    )


def _encode_route(route: str) -> str:
    from urllib.parse import urlencode  # noqa: PLC0415

    return urlencode({"route": route})
