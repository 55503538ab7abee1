"""The snapshot pages: list, comparison of two, one in detail, and pinning the last known good state."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response  # noqa: TC002

from firstcause.web.dependencies import AppDep, ViewsDep, utc_now
from firstcause.web.pages.forms import ActorDep, ConfirmForm, actor_field, redirect_back, render_form
from firstcause.web.pages.rendering import render

router = APIRouter(prefix="/snapshots")

_MAX_LISTED = 60
_SNAPSHOTS_URL = "/snapshots"


@router.get("")
def show_snapshots(
    request: Request, app: AppDep, views: ViewsDep, before: str | None = None, after: str | None = None
) -> HTMLResponse:
    change_token = views.change_token()
    listed = app.health.history.list_snapshots(_MAX_LISTED)
    diff = app.health.history.diff(before, after) if before and after else None
    if diff is not None:
        before, after = diff["before"], diff["after"]
    return render(
        request,
        "snapshots.html",
        change_token=change_token,
        snapshots=listed,
        before=before or next((row["id"] for row in listed if row["last_known_good"]), None),
        after=after or (listed[0]["id"] if listed else None),
        diff=diff,
        pinned=any(row["pinned_by"] for row in listed),
    )


@router.get("/unpin")
def ask_unpin(request: Request) -> HTMLResponse:
    text = "The rules choose the last known good state again."
    return render_form(
        request, ConfirmForm("Unpin", text, "/snapshots/unpin", "Unpin", _SNAPSHOTS_URL, actor_field(request))
    )


@router.post("/unpin")
def unpin(request: Request, app: AppDep, actor: ActorDep) -> Response:
    app.health.history.unpin(utc_now(), actor)
    return redirect_back(request, _SNAPSHOTS_URL, actor)


@router.get("/{number}")
def show_snapshot(number: str, request: Request, app: AppDep) -> HTMLResponse:
    return render(request, "snapshot.html", snapshot=app.health.history.get_snapshot(number))


@router.get("/{number}/pin")
def ask_pin(number: str, request: Request, app: AppDep) -> HTMLResponse:
    target = app.health.history.get_snapshot(number)
    text = f"Later snapshots are compared with this one, taken at {target['taken_at']}."
    action = f"/snapshots/{target['id']}/pin"
    form = ConfirmForm(
        f"Pin snapshot {target['id']} as good", text, action, "Pin it", _SNAPSHOTS_URL, actor_field(request)
    )
    return render_form(request, form)


@router.post("/{number}/pin")
def pin(number: str, request: Request, app: AppDep, actor: ActorDep) -> Response:
    app.health.history.pin(number, utc_now(), actor)
    return redirect_back(request, _SNAPSHOTS_URL, actor)
