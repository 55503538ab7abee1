"""Actions on several incidents that were chosen in a list: acknowledge and silence them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response  # noqa: TC002

from firstcause.core.text.durations import parse_duration
from firstcause.errors import IntakeError, NotFoundError
from firstcause.web.dependencies import AppDep, utc_now
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

if TYPE_CHECKING:
    from collections.abc import Iterable

router = APIRouter(prefix="/incidents/several")

_PREFIX = "id-"
_MAX_NAMED = 5


def _find_chosen(names: Iterable[str]) -> list[str]:
    """Find the ids in the names of ticked boxes. IntakeError where none is ticked."""
    chosen = [name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX)]
    if not chosen:
        msg = "no incident is chosen; tick those that you mean, and try again"
        raise IntakeError(msg)
    return chosen


@router.get("/{action}")
def ask_several(action: str, request: Request, app: AppDep) -> HTMLResponse:
    """Ask once, with the titles, before something is done to several incidents."""
    chosen = _find_chosen(request.query_params)
    titles = [f"#{number} {app.incidents.get_incident(number)['title']}" for number in chosen[:_MAX_NAMED]]
    further = f"; and {len(chosen) - _MAX_NAMED} more" if len(chosen) > _MAX_NAMED else ""
    hidden = tuple(FormField(f"{_PREFIX}{number}", "", "on", kind="hidden") for number in chosen)
    count = f"{len(chosen)} incidents" if len(chosen) > 1 else "1 incident"
    if action == "ack":
        what, label = f"You take {count}", "Acknowledge"
        fields: tuple[FormField, ...] = ()
    elif action == "silence":
        what, label = f"No notifications about the causes of {count} meanwhile", "Silence"
        fields = (FormField("for", "Duration", "2h", kind="choice", choices=SILENCE_LENGTHS),)
    else:
        msg = f"nothing called {action!r} can be done to several incidents"
        raise NotFoundError(msg)
    comment = FormField("comment", "Why (optional)", kind="area")
    form = ConfirmForm(
        f"{label} {count}",
        f"{what}: {'; '.join(titles)}{further}.",
        f"/incidents/several/{action}",
        label,
        "/",
        (*hidden, *fields, comment, *actor_field(request)),
    )
    return render_form(request, form)


@router.post("/ack")
def acknowledge_several(request: Request, app: AppDep, actor: ActorDep, fields: FormDep) -> Response:
    """Acknowledge the incidents that are still open."""
    for number in _find_chosen(fields):
        if app.incidents.get_incident(number)["status"] == "open":
            app.incidents.acknowledge(number, utc_now(), actor, fields.get("comment") or None)
    return redirect_back(request, "/", actor)


@router.post("/silence")
def silence_several(request: Request, app: AppDep, actor: ActorDep, fields: FormDep) -> Response:
    """Create a silence for the root of each incident that is still open; one for those with the same root."""
    length = fields.get("for", "")
    if length not in dict(SILENCE_LENGTHS):
        msg = f"{length!r} is not a duration that the form offers"
        raise IntakeError(msg)
    matchers = {
        tuple(app.silences.build_incident_matchers(number))
        for number in _find_chosen(fields)
        if app.incidents.get_incident(number)["status"] == "open"
    }
    for one in sorted(matchers):
        app.silences.create(
            one,
            utc_now(),
            duration_s=parse_duration(length),
            actor=actor,
            comment=fields.get("comment") or None,
        )
    return redirect_back(request, "/", actor)
