"""The overview page (Now): status in a word, open incidents, dependencies, recently resolved incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse  # noqa: TC002

from firstcause.core.incidents.incident_filter import IncidentFilter, IncidentState
from firstcause.core.model import Priority
from firstcause.core.selfcheck.conditions import Level
from firstcause.web.dependencies import AppDep, ViewsDep, utc_now
from firstcause.web.pages.rendering import pluralize, render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

router = APIRouter()


def read_filter(
    q: Annotated[str, Query(max_length=200)] = "",
    priority: Literal["", "P0", "P1", "P2"] = "",
    service: Annotated[str, Query(max_length=200)] = "",
    tenant: Annotated[str, Query(max_length=200)] = "",
    state: Literal["", "new", "acknowledged", "silenced", "flapping"] = "",
) -> IncidentFilter:
    """Read which incidents the page is to show. An empty field of the form chooses nothing."""
    return IncidentFilter(
        text=q.strip(),
        priority=Priority(priority) if priority else None,
        service=service,
        tenant=tenant,
        state=IncidentState(state) if state else None,
    )


FilterDep = Annotated[IncidentFilter, Depends(read_filter)]


@router.get("/")
def show_overview(request: Request, app: AppDep, views: ViewsDep, chosen: FilterDep) -> HTMLResponse:
    change_token = views.change_token()
    overview = views.load_overview(change_token, chosen)
    components = views.load_components()
    status = app.monitoring.get_status(utc_now())
    return render(
        request,
        "overview.html",
        change_token=change_token,
        **overview,
        chosen=chosen,
        verdict=summarize_status(overview["totals"], components, status["conditions"]),
        components=components,
        status=status,
    )


@router.get("/companies/{name}")
def show_company(name: str, request: Request, views: ViewsDep) -> HTMLResponse:
    change_token = views.change_token()
    return render(request, "company.html", change_token=change_token, **views.load_tenant(name))


@router.get("/incidents")
def show_incidents(request: Request, views: ViewsDep) -> HTMLResponse:
    """Show the latest incidents, newest first."""
    change_token = views.change_token()
    incidents = views.list_past_incidents()
    return render(request, "incidents.html", change_token=change_token, incidents=incidents)


def summarize_status(
    totals: Mapping[str, Any],
    components: Sequence[Mapping[str, Any]],
    conditions: Sequence[Mapping[str, Any]] = (),
) -> dict[str, str]:
    """Return {tone, answer, sentence}: the status in a word and in a sentence. tone: good, watch or bad.

    totals: of `Views.load_overview`.

    conditions: of firstcause itself. Where errors are not handled, nobody knows whether all is well.
    """
    if any(condition["level"] == Level.UNREADY for condition in conditions):
        return {"tone": "bad", "answer": "Unknown.", "sentence": "firstcause does not handle errors now."}
    down = [component["name"] for component in components if component["status"] == "DOWN"]
    degraded = [component["name"] for component in components if component["status"] == "DEGRADED"]
    if totals["incidents"]:
        by_priority = totals["by_priority"]
        counts = ", ".join(f"{count:,} {priority}" for priority, count in by_priority.items())
        causes = pluralize(totals["incidents"], "cause")
        details = f" ({counts})" if totals["incidents"] > 1 else ""
        sentence = f"{pluralize(totals['events'], 'error')}, {causes}{details}."
        return {"tone": "bad" if "P0" in by_priority else "watch", "answer": "No.", "sentence": sentence}
    if down or degraded:
        words = [f"{name} is down" for name in down] + [f"{name} is degraded" for name in degraded]
        return {"tone": "watch", "answer": "Almost.", "sentence": f"No errors, but {', '.join(words[:3])}."}
    blind_spot = _find_blind_spot(components, conditions)
    if blind_spot is not None:
        return {"tone": "watch", **blind_spot}
    sentence = "All open incidents are silenced." if totals["open"] else "All is well."
    return {"tone": "good", "answer": "Yes.", "sentence": sentence}


def _find_blind_spot(
    components: Sequence[Mapping[str, Any]], conditions: Sequence[Mapping[str, Any]]
) -> dict[str, str] | None:
    """Find why nobody can say that all is well although no error is open; None where one can."""
    if any(condition["level"] == Level.DEGRADED for condition in conditions):
        return {"answer": "Almost.", "sentence": "No errors, but firstcause itself needs attention."}
    if not components:
        sentence = "No errors are open, but no probe looks whether anything works."
        return {"answer": "Unknown.", "sentence": sentence}
    if all(component["status"] is None for component in components):
        return {"answer": "Unknown.", "sentence": "No errors are open, and the probes have yet to run."}
    if any(condition["level"] == Level.INCOMPLETE for condition in conditions):
        return {"answer": "Almost.", "sentence": "No errors, but nobody would be told of one."}
    return None
