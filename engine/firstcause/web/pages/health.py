"""Dependency health: how every component is, and one click to look again."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from firstcause.web.backend import Asked  # noqa: TC001
from firstcause.web.pages.forms import Actor, Ask, Sent, asked, by
from firstcause.web.pages.rendering import show

router = APIRouter()

_MILLISECONDS = 1000


@router.get("/health")
def health(request: Request, backend: Asked) -> HTMLResponse:
    return _health(request, backend)


def _health(request: Request, backend: Asked, **tested: Any) -> HTMLResponse:
    pulse = backend.views.pulse()
    return show(
        request,
        "health.html",
        pulse=pulse,
        components=backend.views.components(),
        remedies=backend.remedies(),
        last=backend.health(),
        **{"tested": None, **tested},
    )


@router.post("/probes/{name}/test")
def test(name: str, request: Request, backend: Asked, _fields: Sent) -> HTMLResponse:
    """Run one probe now; the result in its place where a script asks, else on the page."""
    began = time.monotonic()
    found = backend.run_probe(name)
    took = round((time.monotonic() - began) * _MILLISECONDS)
    tested = {**found, "took": took}
    if "hx-request" in request.headers:
        return show(request, "tested.html", tested=tested)
    return _health(request, backend, tested=tested)


@router.post("/health/check")
def check(backend: Asked, _fields: Sent) -> Response:
    """One full check, which also takes a snapshot."""
    backend.check()
    return RedirectResponse("/health", 303)


@router.get("/remedies/{name}")
def ask_remedy(name: str, request: Request, backend: Asked) -> HTMLResponse:
    plan = backend.plan_remedy(name)
    text = f"This changes {plan['component']}. What it would do:"
    ask = Ask(
        f"Run {name}", text, f"/remedies/{name}", "Run it", "/health", by(request), danger=True,
        plan=plan["text"],
    )  # fmt: skip
    return asked(request, ask)


@router.post("/remedies/{name}")
def remedy(name: str, request: Request, backend: Asked, actor: Actor) -> HTMLResponse:
    return show(request, "remedied.html", result=backend.run_remedy(name, actor))
