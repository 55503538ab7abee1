"""Signing in and out, where the door is locked."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from firstcause.errors import IntakeError
from firstcause.web.pages.forms import Sent  # noqa: TC001
from firstcause.web.pages.rendering import door, is_secure, show, visiting
from firstcause.web.sessions import NOBODY

router = APIRouter()


@router.get("/login")
def login(request: Request, to: str = "/") -> Response:
    if not door(request).locked or visiting(request).signed_in:
        return RedirectResponse(_inside(to), 303)
    return _form(request, to)


def _form(request: Request, to: str, wrong: str | None = None, status: int = 200) -> HTMLResponse:
    name = visiting(request).name
    return show(
        request, "login.html", status, to=_inside(to), wrong=wrong, name="" if name == NOBODY else name
    )


@router.post("/login")
async def enter(request: Request, fields: Sent) -> Response:
    address = request.client.host if request.client else ""
    to, name = _inside(fields.get("to", "/")), fields.get("name", "")
    opened = door(request)
    try:
        number = await run_in_threadpool(opened.sign_in, fields.get("password", ""), name, address)
    except IntakeError as error:
        return _form(request, to, str(error), error.status)
    answer = RedirectResponse(to, 303)
    opened.cookies(answer, number, secure=is_secure(request))
    return answer


@router.post("/logout")
def leave(request: Request, _fields: Sent) -> Response:
    door(request).sign_out(visiting(request).id)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie("firstcause")
    return answer


def _inside(to: str) -> str:
    """A path of ours; what could lead elsewhere is not followed."""
    safe = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if safe else "/"
