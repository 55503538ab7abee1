"""Settings: what is loaded, who is told, what is silenced, how long things are kept, who changed what."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from firstcause.web.backend import Asked  # noqa: TC001
from firstcause.web.pages.forms import Actor, Ask, asked, by
from firstcause.web.pages.rendering import show

router = APIRouter()

_AUDITED = 50


@router.get("/settings")
def settings(request: Request, backend: Asked) -> HTMLResponse:
    pulse = backend.views.pulse()
    return show(
        request,
        "settings.html",
        pulse=pulse,
        **backend.views.settings(),
        silences=backend.silences(ended=False),
        audit=backend.views.audit(_AUDITED),
        status=backend.status(),
    )


@router.get("/drill")
def ask_drill(request: Request, route: str) -> HTMLResponse:
    text = f"A test alert, marked as a drill, goes to the route {route!r}: the phone should ring."
    ask = Ask("Send a test", text, f"/drill?{_query(route)}", "Send it", "/settings#routes", by(request))
    return asked(request, ask)


@router.post("/drill")
def drill(request: Request, backend: Asked, route: str, actor: Actor) -> Response:
    _ = request
    return RedirectResponse(f"/drills/{backend.drill(route, actor)}", 303)


@router.get("/drills/{event}")
def drilled(event: str, request: Request, backend: Asked) -> HTMLResponse:
    pulse = backend.views.pulse()
    return show(request, "drilled.html", pulse=pulse, drill=backend.drilled(event))


def _query(route: str) -> str:
    from urllib.parse import urlencode  # noqa: PLC0415

    return urlencode({"route": route})
