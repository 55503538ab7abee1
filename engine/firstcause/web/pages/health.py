"""The health page: the status of every dependency, tests of probes, and remedies."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from firstcause.web.backend import AppDep  # noqa: TC001
from firstcause.web.pages.forms import ActorDep, ConfirmForm, FormDep, actor_field, render_form
from firstcause.web.pages.rendering import render

router = APIRouter()

_MILLISECONDS = 1000


@router.get("/health")
def show_health(request: Request, backend: AppDep) -> HTMLResponse:
    return _render_health(request, backend)


def _render_health(
    request: Request, backend: AppDep, test_result: dict[str, Any] | None = None
) -> HTMLResponse:
    change_token = backend.views.change_token()
    return render(
        request,
        "health.html",
        change_token=change_token,
        components=backend.views.load_components(),
        remedies=backend.remedies(),
        last=backend.health(),
        test_result=test_result,
    )


@router.post("/probes/{name}/test")
def run_probe_test(name: str, request: Request, backend: AppDep, _fields: FormDep) -> HTMLResponse:
    """Run one probe now. htmx gets the result alone, a browser without scripts the whole page."""
    started = time.monotonic()
    reading = backend.run_probe(name)
    elapsed_ms = round((time.monotonic() - started) * _MILLISECONDS)
    result = {**reading, "took": elapsed_ms}
    if "hx-request" in request.headers:
        return render(request, "probe_result.html", result=result)
    return _render_health(request, backend, result)


@router.post("/health/check")
def run_check(backend: AppDep, _fields: FormDep) -> Response:
    """Run every probe and take a snapshot."""
    backend.check()
    return RedirectResponse("/health", 303)


@router.get("/remedies/{name}")
def ask_remedy(name: str, request: Request, backend: AppDep) -> HTMLResponse:
    plan = backend.plan_remedy(name)
    text = f"This changes {plan['component']}. Plan:"
    form = ConfirmForm(
        f"Run {name}", text, f"/remedies/{name}", "Run it", "/health", actor_field(request), danger=True,
        plan=plan["text"],
    )  # fmt: skip
    return render_form(request, form)


@router.post("/remedies/{name}")
def run_remedy(name: str, request: Request, backend: AppDep, actor: ActorDep) -> HTMLResponse:
    return render(request, "remedy_result.html", result=backend.run_remedy(name, actor))
