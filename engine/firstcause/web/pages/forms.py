"""Forms: what a page asks before it changes something, and what comes back. No script is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse

from firstcause.errors import IntakeError
from firstcause.web.access_control import CSRF
from firstcause.web.pages.rendering import Visiting, door, is_secure, show, visiting
from firstcause.web.sessions import NOBODY, remember_name

if TYPE_CHECKING:
    from fastapi.responses import HTMLResponse
    from starlette.responses import Response

_LARGEST = 64 * 1024
_MOST_FIELDS = 50
_LONGEST = 10_000


@dataclass(frozen=True)
class Field:
    """One question. kind: text, area, password, or choice, where choices are (value, label)."""

    name: str
    label: str
    value: str = ""
    kind: str = "text"
    choices: tuple[tuple[str, str], ...] = ()
    help: str = ""
    required: bool = False
    complete: str = "off"


@dataclass(frozen=True)
class Ask:
    """What is asked once before something is done. action: where the answer goes; back: where not."""

    title: str
    text: str
    action: str
    verb: str
    back: str
    fields: tuple[Field, ...] = ()
    danger: bool = False
    plan: str | None = None


def by(request: Request) -> tuple[Field, ...]:
    """Asks for a name where nobody gave one when signing in."""
    visitor = visiting(request)
    if visitor.signed_in:
        return ()
    known = "" if visitor.name == NOBODY else visitor.name
    return (Field("by", "Your name", known, help="Shown to the others.", complete="nickname"),)


def asked(request: Request, ask: Ask) -> HTMLResponse:
    """The form as a page; a script shows it as a dialog on the page where it was wanted."""
    return show(request, "ask.html", ask=ask)


async def sent(request: Request) -> dict[str, str]:
    """The fields of a form of ours. IntakeError for one that is not, or is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            msg = f"a form of more than {_LARGEST} bytes; shorten it"
            raise IntakeError(msg, 413)
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        msg = "this is no form of ours"
        raise IntakeError(msg) from None
    fields = {name: value[:_LONGEST].strip() for name, value in pairs}
    mark = fields.pop("csrf", "") or request.headers.get(CSRF, "")
    if not door(request).is_ours(visiting(request), mark):
        msg = "this form is from before firstcause was started again; load the page again, then repeat it"
        raise IntakeError(msg, 403)
    return fields


Sent = Annotated[dict[str, str], Depends(sent)]
"""A parameter that FastAPI fills with the fields of a form."""


def actor(visitor: Visiting, fields: Sent) -> str:
    """Who did it: by the session, else by the name in the form."""
    return visitor.name if visitor.signed_in else fields.get("by") or visitor.name


Actor = Annotated[str, Depends(actor)]


def done(request: Request, to: str, by: str) -> Response:
    """Back to a page, and remember who it was."""
    answer = RedirectResponse(to, 303)
    if not visiting(request).signed_in and by != NOBODY:
        remember_name(answer, by, secure=is_secure(request))
    return answer
