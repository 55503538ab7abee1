"""The catalog: the known errors, searched; and what came that no entry describes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse  # noqa: TC002 - FastAPI reads the annotations

from firstcause.web.backend import Asked  # noqa: TC001
from firstcause.web.pages.rendering import show

router = APIRouter(prefix="/catalog")


@router.get("")
def catalog(request: Request, backend: Asked, q: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    views = backend.views
    return show(
        request,
        "catalog.html",
        q=q,
        entries=views.entries(q),
        seen=views.seen(),
        coverage=views.coverage(),
    )


@router.get("/{code}")
def entry(code: str, request: Request, backend: Asked) -> HTMLResponse:
    return show(request, "entry.html", **backend.views.entry(code))
