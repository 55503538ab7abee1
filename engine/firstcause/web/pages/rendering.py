"""How a view becomes an answer: its template, what every page has, and the headers that keep it safe."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from firstcause.core.text.durations import spoken
from firstcause.core.text.sanitize import visible
from firstcause.web import svg
from firstcause.web.sessions import Door, Visitor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

STATIC = Path(__file__).parent.parent / "static"

_SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_MOMENT = 10


def _finalized(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_templates = Environment(
    loader=PackageLoader("firstcause.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_finalized,
)


def parsed(moment: str | datetime) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)


def ago(moment: str | datetime, now: datetime) -> str:
    """ "4 min ago", in the largest part only; `in 2 h` for what is to come."""
    seconds = (now - parsed(moment)).total_seconds()
    if abs(seconds) < _MOMENT:
        return "just now"
    length = " ".join(spoken(abs(seconds)).split()[:2])
    return f"{length} ago" if seconds > 0 else f"in {length}"


def since(moment: str | datetime, now: datetime) -> str:
    """How long ago, without the word."""
    return " ".join(spoken((now - parsed(moment)).total_seconds()).split()[:2])


def at(moment: str | datetime) -> str:
    """The time in UTC, as it is written in logs."""
    return parsed(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(moment: str | datetime) -> str:
    return moment if isinstance(moment, str) else moment.isoformat(timespec="seconds")


def web_link(url: object) -> str | None:
    """The address where it is one that a browser may be sent to, else None."""
    text = str(url or "")
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in {"http", "https"} and parts.netloc else None


def percent(share: float) -> str:
    return f"{share:.0%}"


def number(value: float | None) -> str:
    """Four digits that matter; "none" for none."""
    if value is None:
        return "none"
    return f"{value:,.0f}" if abs(value) >= 1000 and float(value).is_integer() else f"{value:.4g}"  # noqa: PLR2004


def some(values: Iterable[str], most: int = 3) -> str:
    """ "a, b, c and 4 more"."""
    listed = list(values)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def plural(count: int, word: str, words: str | None = None) -> str:
    """ "1 error", "48 errors"."""
    return f"{count:,} {word if count == 1 else words or f'{word}s'}"


@cache
def asset(name: str) -> str:
    """The address of a file of ours, with a mark that changes when the file does."""
    mark = hashlib.blake2b((STATIC / name).read_bytes(), digest_size=6).hexdigest()
    return f"/static/{name}?{mark}"


_templates.filters.update(
    at=at, iso=iso, web_link=web_link, percent=percent, number=number, some=some, plural=plural,
    path=lambda text: quote(str(text), safe=""),
)  # fmt: skip
_templates.globals.update(asset=asset, sparkline=svg.sparkline, spoken=spoken, drawing=svg)

AREAS = (
    ("/", "Now"),
    ("/health", "Health"),
    ("/trends", "Trends"),
    ("/snapshots", "Snapshots"),
    ("/catalog", "Catalog"),
    ("/rules", "Rules"),
    ("/settings", "Settings"),
)


def door(request: Request) -> Door:
    found: Door = request.app.state.door
    return found


def visiting(request: Request) -> Visitor:
    """The browser that asks; the same for the whole of one request."""
    if not hasattr(request.state, "visitor"):
        request.state.visitor = door(request).visitor(request.headers.get("cookie", ""))
    found: Visitor = request.state.visitor
    return found


Visiting = Annotated[Visitor, Depends(visiting)]
"""A parameter that FastAPI fills with who asks."""


def is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def show(request: Request, template: str, code: int = 200, **values: Any) -> HTMLResponse:
    """A whole page. values: what the template needs besides what every page has."""
    now = datetime.now(UTC)
    visitor = visiting(request)
    common = {
        "now": now,
        "ago": lambda moment: ago(moment, now),
        "since": lambda moment: since(moment, now),
        "visitor": visitor,
        "locked": door(request).locked,
        "areas": AREAS,
        "here": request.url.path,
        "address": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "pulse": None,
    }
    text = _templates.get_template(template).render({**common, **values})
    answer = HTMLResponse(text, code, headers=_SAFE)
    if visitor.fresh:
        door(request).cookies(answer, visitor.id, secure=is_secure(request))
    return answer


class Assets(StaticFiles):
    """Files of ours. Their addresses change when they do, so that browsers may keep them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


def error_page(request: Request, status: int, text: str) -> HTMLResponse:
    return show(request, "error.html", status, status=status, text=text)
