"""Snapshots: how everything was, two of them side by side, and which one was good."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response  # noqa: TC002

from firstcause.web.backend import Asked  # noqa: TC001
from firstcause.web.pages.forms import Actor, Ask, asked, by, done
from firstcause.web.pages.rendering import show

router = APIRouter(prefix="/snapshots")

_LISTED = 60
_BACK = "/snapshots"


@router.get("")
def snapshots(
    request: Request, backend: Asked, before: str | None = None, after: str | None = None
) -> HTMLResponse:
    pulse = backend.views.pulse()
    listed = backend.snapshots(_LISTED)
    diff = backend.diff(before, after) if before and after else None
    if diff is not None:
        before, after = diff["before"], diff["after"]
    return show(
        request,
        "snapshots.html",
        pulse=pulse,
        listed=listed,
        before=before or next((each["id"] for each in listed if each["last_known_good"]), None),
        after=after or (listed[0]["id"] if listed else None),
        diff=diff,
        pinned=any(each["pinned_by"] for each in listed),
    )


@router.get("/unpin")
def ask_unpin(request: Request) -> HTMLResponse:
    text = "The rules choose the last known good state again."
    return asked(request, Ask("Unpin", text, "/snapshots/unpin", "Unpin", _BACK, by(request)))


@router.post("/unpin")
def unpin(request: Request, backend: Asked, actor: Actor) -> Response:
    backend.pin("latest", actor, undo=True)
    return done(request, _BACK, actor)


@router.get("/{number}")
def snapshot(number: str, request: Request, backend: Asked) -> HTMLResponse:
    return show(request, "snapshot.html", snapshot=backend.snapshot(number))


@router.get("/{number}/pin")
def ask_pin(number: str, request: Request, backend: Asked) -> HTMLResponse:
    found = backend.snapshot(number)
    text = f"Everything that comes later is compared with how it was then, at {found['taken_at']}."
    action = f"/snapshots/{found['id']}/pin"
    ask = Ask(f"Pin snapshot {found['id']} as good", text, action, "Pin it", _BACK, by(request))
    return asked(request, ask)


@router.post("/{number}/pin")
def pin(number: str, request: Request, backend: Asked, actor: Actor) -> Response:
    backend.pin(number, actor, undo=False)
    return done(request, _BACK, actor)
