"""The page: what is open, and what is wrong with firstcause itself."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from firstcause.web.backend import Asked  # noqa: TC001 - FastAPI reads the annotations

router = APIRouter()

_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_OPEN = 100

_templates = Environment(
    loader=PackageLoader("firstcause.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


@router.get("/", include_in_schema=False)
def now(backend: Asked) -> HTMLResponse:
    """Open incidents, and a word on the rules where newer files were refused."""
    page = _templates.get_template("now.html")
    text = page.render(status=backend.status(), incidents=backend.incidents("open", _OPEN))
    return HTMLResponse(text, headers=_SAFE)
