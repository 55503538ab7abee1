"""Signing in and out, where [web] sets a password or a token."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from firstcause.errors import IntakeError
from firstcause.web.pages.forms import FormDep  # noqa: TC001
from firstcause.web.pages.rendering import get_browser_session, get_session_manager, is_secure, render
from firstcause.web.sessions import (
    ANONYMOUS_ACTOR,
    BROWSER_COOKIE,
    LOGIN_PATH,
    SESSION_COOKIE,
    set_browser_cookie,
)

if TYPE_CHECKING:
    from firstcause.web.login import Login

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
    to, name = _safe_path(fields.get("to", "/")), fields.get("name", "")
    login: Login = request.app.state.login
    try:
        signed_in = await login.sign_in(
            fields.get("password", ""), name, _get_address(request), request.cookies.get(BROWSER_COOKIE, "")
        )
    except IntakeError as error:
        refused = _render_login_form(request, to, str(error), error.status)
        if error.retry_after is not None:
            refused.headers["Retry-After"] = str(math.ceil(error.retry_after))
        return refused
    response = RedirectResponse(to, 303)
    secure = is_secure(request)
    get_session_manager(request).set_session_cookie(response, signed_in.session_id, secure=secure)
    set_browser_cookie(response, signed_in.browser, secure=secure)
    return response


@router.post("/logout")
async def sign_out(request: Request, _fields: FormDep) -> Response:
    login: Login = request.app.state.login
    await login.sign_out(get_browser_session(request).id, _get_address(request))
    response = RedirectResponse(LOGIN_PATH, 303)
    response.delete_cookie(SESSION_COOKIE)
    return response


def _get_address(request: Request) -> str:
    return request.client.host if request.client else ""


def _safe_path(to: str) -> str:
    """Return a path of this site, "/" for anything that could lead elsewhere."""
    safe = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if safe else "/"
