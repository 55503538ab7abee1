"""The rule pages: all rules and which fire now, the rule files, and their tests."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from firstcause.web.dependencies import AppDep, ViewsDep, utc_now
from firstcause.web.pages.forms import FormDep  # noqa: TC001
from firstcause.web.pages.rendering import render

router = APIRouter(prefix="/rules")

_CONTEXT_LINES = 400
"""Lines shown before and after the requested one."""


@router.get("")
def show_rules(request: Request, app: AppDep, views: ViewsDep) -> HTMLResponse:
    change_token = views.change_token()
    return render(
        request,
        "rules.html",
        change_token=change_token,
        **views.list_rules(),
        status=app.monitoring.get_status(utc_now())["rules"],
        testing=views.rule_test_job.progress,
    )


@router.post("/test")
def start_rule_tests(views: ViewsDep, _fields: FormDep) -> Response:
    views.rule_test_job.start(utc_now())
    return RedirectResponse("/rules#tests", 303)


@router.get("/file")
def show_rule_file(
    request: Request, views: ViewsDep, name: str, line: Annotated[int, Query(ge=0)] = 1
) -> HTMLResponse:
    """Show the part of a rule file around a line."""
    lines = views.read_rule_file(name).splitlines()
    first = max(0, line - 1 - _CONTEXT_LINES)
    numbered_lines = list(enumerate(lines[first : line + _CONTEXT_LINES], first + 1))
    return render(request, "rulefile.html", name=name, line=line, lines=numbered_lines, total=len(lines))
