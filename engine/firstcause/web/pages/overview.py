"""Now: is it all right?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse  # noqa: TC002

from firstcause.web.backend import Asked  # noqa: TC001
from firstcause.web.pages.rendering import plural, show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

router = APIRouter()


@router.get("/")
def now(request: Request, backend: Asked) -> HTMLResponse:
    pulse = backend.views.pulse()
    found = backend.views.now(pulse)
    components = backend.views.components()
    return show(
        request,
        "now.html",
        pulse=pulse,
        **found,
        verdict=verdict(found["open"], components),
        components=components,
        status=backend.status(),
    )


@router.get("/companies/{name}")
def company(name: str, request: Request, backend: Asked) -> HTMLResponse:
    pulse = backend.views.pulse()
    return show(request, "company.html", pulse=pulse, **backend.views.tenant(name))


@router.get("/incidents")
def incidents(request: Request, backend: Asked) -> HTMLResponse:
    """All that were, newest first."""
    pulse = backend.views.pulse()
    return show(request, "incidents.html", pulse=pulse, listed=backend.views.past())


def verdict(found: Sequence[Mapping[str, Any]], components: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """{tone: good, watch or bad, answer, sentence}: whether it is all right, in a word and in a line."""
    loud = [each for each in found if not each["suppressed"]]
    down = [each["name"] for each in components if each["status"] == "DOWN"]
    weak = [each["name"] for each in components if each["status"] == "DEGRADED"]
    if loud:
        events = sum(each["events"] for each in loud)
        urgent = any(each["priority"] == "P0" for each in loud)
        sentence = f"{plural(events, 'error')}, {plural(len(loud), 'cause')}."
        return {"tone": "bad" if urgent else "watch", "answer": "No.", "sentence": sentence}
    if down or weak:
        words = [f"{name} is down" for name in down] + [f"{name} is degraded" for name in weak]
        return {"tone": "watch", "answer": "Nearly.", "sentence": f"No error, but {', '.join(words[:3])}."}
    if found:
        return {"tone": "good", "answer": "Yes.", "sentence": "What is open is quietened by rules."}
    return {"tone": "good", "answer": "Yes.", "sentence": "All is well."}
