"""The catalog pages: search, one entry, and how much of what was reported the entries cover."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse  # noqa: TC002 - FastAPI reads the annotations

from firstcause.web.dependencies import ViewsDep  # noqa: TC001 - FastAPI reads the annotations
from firstcause.web.pages.rendering import render

router = APIRouter(prefix="/catalog")


@router.get("")
def show_catalog(
    request: Request, views: ViewsDep, q: Annotated[str, Query(max_length=200)] = ""
) -> HTMLResponse:
    return render(
        request,
        "catalog.html",
        q=q,
        entries=views.search_entries(q),
        counts=views.count_by_code(),
        coverage=views.load_coverage(),
    )


@router.get("/{code}")
def show_entry(code: str, request: Request, views: ViewsDep) -> HTMLResponse:
    return render(request, "entry.html", **views.load_entry(code))
