"""Rules: which there are and which speak now, the files that they stand in, and their tests."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from firstcause.web.backend import Asked  # noqa: TC001
from firstcause.web.pages.forms import Sent  # noqa: TC001
from firstcause.web.pages.rendering import show

router = APIRouter(prefix="/rules")

_AROUND = 400
"""Lines before and after the one that was asked for."""


@router.get("")
def rules(request: Request, backend: Asked) -> HTMLResponse:
    pulse = backend.views.pulse()
    return show(
        request,
        "rules.html",
        pulse=pulse,
        **backend.views.rules(),
        status=backend.status()["rules"],
        testing=backend.views.rule_testing.progress,
    )


@router.post("/test")
def test(backend: Asked, _fields: Sent) -> Response:
    backend.test_rules()
    return RedirectResponse("/rules#tests", 303)


@router.get("/file")
def rule_file(
    request: Request, backend: Asked, name: str, line: Annotated[int, Query(ge=0)] = 1
) -> HTMLResponse:
    """A rule file around a line."""
    lines = backend.views.rule_file(name).splitlines()
    first = max(0, line - 1 - _AROUND)
    shown = list(enumerate(lines[first : line + _AROUND], first + 1))
    return show(request, "rulefile.html", name=name, line=line, lines=shown, total=len(lines))
