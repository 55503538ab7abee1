"""The health page: the status of every dependency, tests of probes, and remedies."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from firstcause.web.dependencies import AppDep, ViewsDep, utc_now
from firstcause.web.pages.forms import ActorDep, ConfirmForm, FormDep, actor_field, render_form
from firstcause.web.pages.rendering import render

router = APIRouter()

_MILLISECONDS = 1000


@router.get("/health")
def show_health(request: Request, app: AppDep, views: ViewsDep) -> HTMLResponse:
    return _render_health(request, app, views)


def _render_health(
    request: Request, app: AppDep, views: ViewsDep, test_result: dict[str, Any] | None = None
) -> HTMLResponse:
    change_token = views.change_token()
    return render(
        request,
        "health.html",
        change_token=change_token,
        components=views.load_components(),
        remedies=app.remedies.list_remedies(),
        last=app.health.get_health(),
        test_result=test_result,
    )


@router.post("/probes/{name}/test")
def run_probe_test(
    name: str, request: Request, app: AppDep, views: ViewsDep, _fields: FormDep
) -> HTMLResponse:
    """Run one probe now. htmx gets the result alone, a browser without scripts the whole page."""
    started = time.monotonic()
    reading = app.health.run_probe(name, utc_now())
    elapsed_ms = round((time.monotonic() - started) * _MILLISECONDS)
    result = {**reading, "took": elapsed_ms}
    if "hx-request" in request.headers:
        return render(request, "probe_result.html", result=result)
    return _render_health(request, app, views, result)


@router.post("/health/check")
def run_check(app: AppDep, _fields: FormDep) -> Response:
    """Run every probe and take a snapshot."""
    app.health.check(utc_now())
    return RedirectResponse("/health", 303)


@router.get("/remedies/{name}")
def ask_remedy(name: str, request: Request, app: AppDep) -> HTMLResponse:
    plan = app.remedies.plan(name)
    text = f"This changes {plan['component']}. Plan:"
    form = ConfirmForm(
        f"Run {name}", text, f"/remedies/{name}", "Run it", "/health", actor_field(request), danger=True,
        plan=plan["text"],
    )  # fmt: skip
    return render_form(request, form)


@router.post("/remedies/{name}")
def run_remedy(name: str, request: Request, app: AppDep, actor: ActorDep) -> HTMLResponse:
    return render(request, "remedy_result.html", result=app.remedies.run(name, utc_now(), actor))
