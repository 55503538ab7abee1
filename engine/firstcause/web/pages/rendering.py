"""Rendering of pages: the Jinja environment, the values that every page has, and the security headers."""

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

from firstcause.core.sanitize import escape_invisible
from firstcause.core.text.durations import format_duration
from firstcause.core.text.listing import join_limited
from firstcause.web import svg
from firstcause.web.sessions import BrowserSession, SessionManager

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

STATIC_DIR = Path(__file__).parent.parent / "static"

_SECURITY_HEADERS = {
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

_JUST_NOW_S = 10


def _escape_value(value: Any) -> Any:
    return escape_invisible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_environment = Environment(
    loader=PackageLoader("firstcause.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_escape_value,
)


def parse_time(moment: str | datetime) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)


def format_age(moment: str | datetime, now: datetime) -> str:
    """Format a time as "4 min ago", or "in 2 h" for a time to come."""
    seconds = (now - parse_time(moment)).total_seconds()
    if abs(seconds) < _JUST_NOW_S:
        return "just now"
    length = " ".join(format_duration(abs(seconds)).split()[:2])
    return f"{length} ago" if seconds > 0 else f"in {length}"


def format_elapsed(moment: str | datetime, now: datetime) -> str:
    """Format how long ago a time was, without "ago"."""
    return " ".join(format_duration((now - parse_time(moment)).total_seconds()).split()[:2])


def format_utc(moment: str | datetime) -> str:
    """Format a time in UTC, as logs do."""
    return parse_time(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_iso(moment: str | datetime) -> str:
    return moment if isinstance(moment, str) else moment.isoformat(timespec="seconds")


def validate_web_link(url: object) -> str | None:
    """Return the URL if it is absolute http or https, else None."""
    text = str(url or "")
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in {"http", "https"} and parts.netloc else None


def find_link_host(url: object) -> str:
    """Return where a link leads, as "status.example.org"."""
    return urlsplit(str(url or "")).netloc.rpartition("@")[2].removeprefix("www.")


def format_percent(share: float) -> str:
    return f"{share:.0%}"


def format_number(value: float | None) -> str:
    """Format a number with four significant digits; "none" for None."""
    if value is None:
        return "none"
    return f"{value:,.0f}" if abs(value) >= 1000 and float(value).is_integer() else f"{value:.4g}"  # noqa: PLR2004


def join_first(values: Iterable[str], max_items: int = 3) -> str:
    """Join values as "a, b, c and 4 more"."""
    return join_limited(list(values), max_items)


def pluralize(count: int, word: str, words: str | None = None) -> str:
    """Format a count with its noun: "1 error", "48 errors"."""
    return f"{count:,} {word if count == 1 else words or f'{word}s'}"


@cache
def asset_url(name: str) -> str:
    """Return the URL of a static file, with a digest that changes when the file does."""
    digest = hashlib.blake2b((STATIC_DIR / name).read_bytes(), digest_size=6).hexdigest()
    return f"/static/{name}?{digest}"


_environment.filters.update(
    utc=format_utc, iso=format_iso, web_link=validate_web_link,
    link_host=find_link_host, percent=format_percent, number=format_number,
    some=join_first, plural=pluralize,
    path=lambda text: quote(str(text), safe=""),
)  # fmt: skip
_environment.globals.update(
    asset=asset_url, sparkline=svg.sparkline_points, duration=format_duration, drawing=svg
)

NAVIGATION = (
    ("/", "Now"),
    ("/health", "Health"),
    ("/trends", "Trends"),
    ("/snapshots", "Snapshots"),
    ("/catalog", "Catalog"),
    ("/rules", "Rules"),
    ("/settings", "Settings"),
)


def get_session_manager(request: Request) -> SessionManager:
    manager: SessionManager = request.app.state.door
    return manager


def get_browser_session(request: Request) -> BrowserSession:
    """Return the browser's session, identified once a request."""
    if not hasattr(request.state, "visitor"):
        request.state.visitor = get_session_manager(request).identify_browser(
            request.headers.get("cookie", "")
        )
    session: BrowserSession = request.state.visitor
    return session


SessionDep = Annotated[BrowserSession, Depends(get_browser_session)]
"""A parameter that FastAPI fills with the browser's session."""


def is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def render(request: Request, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """Render a page. values: what the template needs in addition to the values of every page."""
    now = datetime.now(UTC)
    session = get_browser_session(request)
    common = {
        "now": now,
        "ago": lambda moment: format_age(moment, now),
        "since": lambda moment: format_elapsed(moment, now),
        "session": session,
        "navigation": NAVIGATION,
        "current_path": request.url.path,
        "current_url": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "change_token": None,
    }
    text = _environment.get_template(template).render({**common, **values})
    response = HTMLResponse(text, status_code, headers=_SECURITY_HEADERS)
    if session.is_new:
        get_session_manager(request).set_session_cookie(response, session.id, secure=is_secure(request))
    return response


class Assets(StaticFiles):
    """Static files. Their URLs change with their content, so browsers may cache them for good."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def render_error_page(request: Request, status: int, text: str) -> HTMLResponse:
    return render(request, "error.html", status, status=status, text=text)
