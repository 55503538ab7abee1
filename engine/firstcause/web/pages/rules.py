"""The rule pages: all rules and which fire now, the rule files, and their tests."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from firstcause.web.backend import AppDep  # noqa: TC001
from firstcause.web.pages.forms import FormDep  # noqa: TC001
from firstcause.web.pages.rendering import render

router = APIRouter(prefix="/rules")

_CONTEXT_LINES = 400
"""Lines shown before and after the requested one."""


@router.get("")
def show_rules(request: Request, backend: AppDep) -> HTMLResponse:
    change_token = backend.views.change_token()
    return render(
        request,
        "rules.html",
        change_token=change_token,
        **backend.views.list_rules(),
        status=backend.status()["rules"],
        testing=backend.views.rule_test_job.progress,
    )


@router.post("/test")
def start_rule_tests(backend: AppDep, _fields: FormDep) -> Response:
    backend.test_rules()
    return RedirectResponse("/rules#tests", 303)


@router.get("/file")
def show_rule_file(
    request: Request, backend: AppDep, name: str, line: Annotated[int, Query(ge=0)] = 1
) -> HTMLResponse:
    """Show the part of a rule file around a line."""
    lines = backend.views.read_rule_file(name).splitlines()
    first = max(0, line - 1 - _CONTEXT_LINES)
    numbered_lines = list(enumerate(lines[first : line + _CONTEXT_LINES], first + 1))
    return render(request, "rulefile.html", name=name, line=line, lines=numbered_lines, total=len(lines))
