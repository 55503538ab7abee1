"""One incident: its cause, the proof, whom it hits, how to mend it; and what a person does about it."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response  # noqa: TC002

from firstcause.core.incidents.debug_report import as_text
from firstcause.errors import IntakeError
from firstcause.web import svg
from firstcause.web.backend import Asked  # noqa: TC001
from firstcause.web.pages.forms import Actor, Ask, Field, Sent, asked, by, done
from firstcause.web.pages.rendering import show

router = APIRouter(prefix="/incidents/{number}")

_LENGTHS = (("30m", "30 minutes"), ("2h", "2 hours"), ("8h", "8 hours"), ("1d", "a day"), ("7d", "a week"))
_SHOWN_ALERTS = 50


@router.get("")
def incident(number: str, request: Request, backend: Asked) -> HTMLResponse:
    pulse = backend.views.pulse()
    found = backend.views.incident(number, datetime.now(UTC), pulse)
    graph = svg.graph(found["graph"]["nodes"], found["graph"]["edges"])
    return show(
        request,
        "incident.html",
        pulse=pulse,
        **{**found, "graph": graph},
        debug=as_text(found["report"]),
        shown_alerts=_SHOWN_ALERTS,
    )


def _title(backend: Asked, number: str) -> str:
    return str(backend.incident(number)["title"])


def _back(number: str) -> str:
    return f"/incidents/{number}"


@router.get("/ack")
def ask_ack(number: str, request: Request, backend: Asked) -> HTMLResponse:
    back = _back(number)
    comment = Field("comment", "What you are doing (if you like)", kind="area")
    text = "You are at it. Nobody else is reminded of it, unless it gets worse."
    fields = (*by(request), comment)
    ask = Ask(f"Acknowledge: {_title(backend, number)}", text, f"{back}/ack", "Acknowledge", back, fields)
    return asked(request, ask)


@router.post("/ack")
def ack(number: str, request: Request, backend: Asked, actor: Actor, fields: Sent) -> Response:
    backend.acknowledge(number, actor, fields.get("comment") or None, undo=False)
    return done(request, _back(number), actor)


@router.get("/give-back")
def ask_give_back(number: str, request: Request, backend: Asked) -> HTMLResponse:
    back = _back(number)
    text = "Nobody is at it any more, and people are reminded of it again."
    ask = Ask(
        f"Give back: {_title(backend, number)}", text, f"{back}/give-back", "Give back", back, by(request)
    )
    return asked(request, ask)


@router.post("/give-back")
def give_back(number: str, request: Request, backend: Asked, actor: Actor) -> Response:
    backend.acknowledge(number, actor, None, undo=True)
    return done(request, _back(number), actor)


@router.get("/silence")
def ask_silence(number: str, request: Request, backend: Asked) -> HTMLResponse:
    back = _back(number)
    root = backend.incident(number)["root"]
    named = ", ".join(str(value) for value in root.values() if value)
    text = f"Nobody is told of {named} for that long. It stays on the page, and counts go on."
    fields = (
        Field("for", "For how long", "2h", kind="choice", choices=_LENGTHS),
        Field("comment", "Why", kind="area"),
        *by(request),
    )
    ask = Ask(f"Silence: {_title(backend, number)}", text, f"{back}/silence", "Silence", back, fields)
    return asked(request, ask)


@router.post("/silence")
def silence(number: str, request: Request, backend: Asked, actor: Actor, fields: Sent) -> Response:
    length = fields.get("for", "")
    if length not in dict(_LENGTHS):
        msg = f"{length!r} is no length that the form offers"
        raise IntakeError(msg)
    backend.silence_incident(number, length, actor, fields.get("comment") or None)
    return done(request, _back(number), actor)


@router.get("/resolve")
def ask_resolve(number: str, request: Request, backend: Asked) -> HTMLResponse:
    back = _back(number)
    text = "It is over. What fixed it is shown when it comes again."
    fields = (Field("fix", "What fixed it", kind="area"), *by(request))
    ask = Ask(f"Resolve: {_title(backend, number)}", text, f"{back}/resolve", "Resolve", back, fields)
    return asked(request, ask)


@router.post("/resolve")
def resolve(number: str, request: Request, backend: Asked, actor: Actor, fields: Sent) -> Response:
    backend.resolve(number, fields.get("fix") or None, actor)
    return done(request, _back(number), actor)
