"""Forms: what a page asks before it changes something, and what comes back. No script is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse

from firstcause.errors import IntakeError
from firstcause.web.access_control import CSRF_HEADER
from firstcause.web.pages.rendering import (
    SessionDep,
    get_browser_session,
    get_session_manager,
    is_secure,
    render,
)
from firstcause.web.sessions import ANONYMOUS_ACTOR, set_name_cookie

if TYPE_CHECKING:
    from fastapi.responses import HTMLResponse
    from starlette.responses import Response

_MAX_FORM_BYTES = 64 * 1024
_MAX_FIELDS = 50
_MAX_VALUE_LENGTH = 10_000


@dataclass(frozen=True)
class FormField:
    """One question. kind: text, area, password, or choice, where choices are (value, label)."""

    name: str
    label: str
    value: str = ""
    kind: str = "text"
    choices: tuple[tuple[str, str], ...] = ()
    help_text: str = ""
    required: bool = False
    autocomplete: str = "off"


@dataclass(frozen=True)
class ConfirmForm:
    """What is asked once before something is done. action: where the answer goes; back: where not."""

    title: str
    text: str
    action: str
    submit_label: str
    cancel_url: str
    fields: tuple[FormField, ...] = ()
    danger: bool = False
    plan: str | None = None


def actor_field(request: Request) -> tuple[FormField, ...]:
    """Asks for a name where nobody gave one when signing in."""
    session = get_browser_session(request)
    if session.signed_in:
        return ()
    name = "" if session.name == ANONYMOUS_ACTOR else session.name
    return (FormField("by", "Your name", name, help_text="Shown to the others.", autocomplete="nickname"),)


def render_form(request: Request, form: ConfirmForm) -> HTMLResponse:
    """The form as a page; a script shows it as a dialog on the page where it was wanted."""
    return render(request, "ask.html", ask=form)


async def parse_form(request: Request) -> dict[str, str]:
    """The fields of a form of ours. IntakeError for one that is not, or is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            msg = f"a form of more than {_MAX_FORM_BYTES} bytes; shorten it"
            raise IntakeError(msg, 413)
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        msg = "this is no form of ours"
        raise IntakeError(msg) from None
    fields = {name: value[:_MAX_VALUE_LENGTH].strip() for name, value in pairs}
    csrf_token = fields.pop("csrf", "") or request.headers.get(CSRF_HEADER, "")
    if not get_session_manager(request).has_valid_csrf_token(get_browser_session(request), csrf_token):
        msg = "this form is from before firstcause was started again; load the page again, then repeat it"
        raise IntakeError(msg, 403)
    return fields


FormDep = Annotated[dict[str, str], Depends(parse_form)]
"""A parameter that FastAPI fills with the fields of a form."""


def resolve_actor(visitor: SessionDep, fields: FormDep) -> str:
    """Who did it: by the session, else by the name in the form."""
    return visitor.name if visitor.signed_in else fields.get("by") or visitor.name


ActorDep = Annotated[str, Depends(resolve_actor)]


def redirect_back(request: Request, url: str, actor_name: str) -> Response:
    """Back to a page, and remember who it was."""
    response = RedirectResponse(url, 303)
    if not get_browser_session(request).signed_in and actor_name != ANONYMOUS_ACTOR:
        set_name_cookie(response, actor_name, secure=is_secure(request))
    return response
