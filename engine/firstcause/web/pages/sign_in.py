"""Signing in and out, where [web] sets a password or a token."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from firstcause.errors import IntakeError
from firstcause.web.pages.forms import FormDep  # noqa: TC001
from firstcause.web.pages.rendering import get_browser_session, get_session_manager, is_secure, render
from firstcause.web.sessions import ANONYMOUS_ACTOR

router = APIRouter()


@router.get("/login")
def show_login(request: Request, to: str = "/") -> Response:
    if not get_session_manager(request).requires_login or get_browser_session(request).signed_in:
        return RedirectResponse(_safe_path(to), 303)
    return _render_login_form(request, to)


def _render_login_form(
    request: Request, to: str, error: str | None = None, status: int = 200
) -> HTMLResponse:
    name = get_browser_session(request).name
    return render(
        request,
        "login.html",
        status,
        to=_safe_path(to),
        error=error,
        name="" if name == ANONYMOUS_ACTOR else name,
    )


@router.post("/login")
async def sign_in(request: Request, fields: FormDep) -> Response:
    address = request.client.host if request.client else ""
    to, name = _safe_path(fields.get("to", "/")), fields.get("name", "")
    sessions = get_session_manager(request)
    try:
        session_id = await run_in_threadpool(sessions.sign_in, fields.get("password", ""), name, address)
    except IntakeError as error:
        return _render_login_form(request, to, str(error), error.status)
    response = RedirectResponse(to, 303)
    sessions.set_session_cookie(response, session_id, secure=is_secure(request))
    return response


@router.post("/logout")
def sign_out(request: Request, _fields: FormDep) -> Response:
    get_session_manager(request).sign_out(get_browser_session(request).id)
    response = RedirectResponse("/login", 303)
    response.delete_cookie("firstcause")
    return response


def _safe_path(to: str) -> str:
    """Return a path of this site, "/" for anything that could lead elsewhere."""
    safe = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if safe else "/"
