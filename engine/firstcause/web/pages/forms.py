"""Confirmation forms: what a page asks before it changes something. They work without JavaScript."""

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

SILENCE_LENGTHS = (
    ("30m", "30 minutes"),
    ("2h", "2 hours"),
    ("8h", "8 hours"),
    ("1d", "a day"),
    ("7d", "a week"),
)
"""How long a silence may last, as the forms offer it."""

_MAX_FORM_BYTES = 64 * 1024
_MAX_FIELDS = 250
_MAX_VALUE_LENGTH = 10_000


@dataclass(frozen=True)
class FormField:
    """One field of a form.

    kind: text, area, password, hidden or choice. choices: (value, label) pairs of a choice.
    """

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
    """A form that asks once before something is done.

    action: where the form is posted. cancel_url: where "Cancel" leads. plan: a remedy's plan, else None.
    """

    title: str
    text: str
    action: str
    submit_label: str
    cancel_url: str
    fields: tuple[FormField, ...] = ()
    danger: bool = False
    plan: str | None = None


def actor_field(request: Request) -> tuple[FormField, ...]:
    """Return the field that asks for a name, or nothing where the user signed in."""
    session = get_browser_session(request)
    if session.signed_in:
        return ()
    name = "" if session.name == ANONYMOUS_ACTOR else session.name
    return (FormField("by", "Your name", name, help_text="Shown to other users.", autocomplete="nickname"),)


def render_form(request: Request, form: ConfirmForm) -> HTMLResponse:
    """Render the form as a page; app.js shows it as a dialog."""
    return render(request, "form.html", form=form)


async def parse_form(request: Request) -> dict[str, str]:
    """Read the fields of a posted form.

    IntakeError if the body is not a form, is too large or has no valid CSRF token.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            msg = f"form is larger than {_MAX_FORM_BYTES} bytes; shorten it"
            raise IntakeError(msg, 413)
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        msg = "request body is not a form of this page"
        raise IntakeError(msg) from None
    fields = {name: value[:_MAX_VALUE_LENGTH].strip() for name, value in pairs}
    csrf_token = fields.pop("csrf", "") or request.headers.get(CSRF_HEADER, "")
    if not get_session_manager(request).has_valid_csrf_token(get_browser_session(request), csrf_token):
        msg = "This form expired when firstcause restarted. Reload the page and try again."
        raise IntakeError(msg, 403)
    return fields


FormDep = Annotated[dict[str, str], Depends(parse_form)]
"""A parameter that FastAPI fills with the fields of a form."""


def resolve_actor(visitor: SessionDep, fields: FormDep) -> str:
    """Return the name of who acts: the session's, else the one in the form."""
    return visitor.name if visitor.signed_in else fields.get("by") or visitor.name


ActorDep = Annotated[str, Depends(resolve_actor)]


def redirect_back(request: Request, url: str, actor_name: str) -> Response:
    """Redirect back to a page and remember the actor's name in a cookie."""
    response = RedirectResponse(url, 303)
    if not get_browser_session(request).signed_in and actor_name != ANONYMOUS_ACTOR:
        set_name_cookie(response, actor_name, secure=is_secure(request))
    return response
