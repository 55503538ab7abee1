"""Silences: of which errors nobody is told for a while."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response  # noqa: TC002

from firstcause.core.text.durations import seconds
from firstcause.errors import IntakeError
from firstcause.web.backend import Asked  # noqa: TC001
from firstcause.web.pages.forms import Actor, Ask, Field, Sent, asked, by, done

router = APIRouter(prefix="/silences")

_BACK = "/settings#silences"


@router.get("/new")
def ask_new(request: Request) -> HTMLResponse:
    matchers = Field(
        "matchers",
        "Of what, a condition a line",
        kind="area",
        help="code=REDIS_SLOW, tenant!=acme, service=~web.*; all of them must fit.",
        required=True,
    )
    length = Field("for", "For how long", "2h", help="30m, 2h, 1d", required=True)
    fields = (matchers, length, Field("comment", "Why", kind="area"), *by(request))
    text = "Nobody is told of errors that fit. They stay on the page, and counts go on."
    return asked(request, Ask("A new silence", text, "/silences/new", "Silence", _BACK, fields))


@router.post("/new")
def new(request: Request, backend: Asked, actor: Actor, fields: Sent) -> Response:
    matchers = [line.strip() for line in fields.get("matchers", "").splitlines() if line.strip()]
    try:
        length = seconds(fields.get("for", ""))
    except ValueError as error:
        raise IntakeError(str(error)) from None
    backend.silence(matchers, length, actor, fields.get("comment") or None)
    return done(request, _BACK, actor)


@router.get("/{number}/end")
def ask_end(number: str, request: Request) -> HTMLResponse:
    text = "What is still open is then told."
    action = f"/silences/{number}/end"
    return asked(request, Ask(f"End silence {number}", text, action, "End it", _BACK, by(request)))


@router.post("/{number}/end")
def end(number: str, request: Request, backend: Asked, actor: Actor) -> Response:
    backend.end_silence(number, actor)
    return done(request, _BACK, actor)
