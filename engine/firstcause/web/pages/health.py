"""Dependency health: how every component is, and one click to look again."""

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


def _render_health(request: Request, app: AppDep, views: ViewsDep, **extra: Any) -> HTMLResponse:
    change_token = views.change_token()
    return render(
        request,
        "health.html",
        pulse=change_token,
        components=views.load_components(),
        remedies=app.remedies.list_remedies(),
        last=app.health.get_health(),
        **{"tested": None, **extra},
    )


@router.post("/probes/{name}/test")
def run_probe_test(
    name: str, request: Request, app: AppDep, views: ViewsDep, _fields: FormDep
) -> HTMLResponse:
    """Run one probe now; the result in its place where a script asks, else on the page."""
    started = time.monotonic()
    reading = app.health.run_probe(name, utc_now())
    elapsed_ms = round((time.monotonic() - started) * _MILLISECONDS)
    result = {**reading, "took": elapsed_ms}
    if "hx-request" in request.headers:
        return render(request, "tested.html", tested=result)
    return _render_health(request, app, views, tested=result)


@router.post("/health/check")
def run_check(app: AppDep, _fields: FormDep) -> Response:
    """One full check, which also takes a snapshot."""
    app.health.check(utc_now())
    return RedirectResponse("/health", 303)


@router.get("/remedies/{name}")
def ask_remedy(name: str, request: Request, app: AppDep) -> HTMLResponse:
    plan = app.remedies.plan(name)
    text = f"This changes {plan['component']}. What it would do:"
    form = ConfirmForm(
        f"Run {name}", text, f"/remedies/{name}", "Run it", "/health", actor_field(request), danger=True,
        plan=plan["text"],
    )  # fmt: skip
    return render_form(request, form)


@router.post("/remedies/{name}")
def run_remedy(name: str, request: Request, app: AppDep, actor: ActorDep) -> HTMLResponse:
    return render(request, "remedied.html", result=app.remedies.run(name, utc_now(), actor))
