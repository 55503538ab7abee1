"""What routes are given: the application, the questions of the page, and the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from firstcause.app.application import Application
from firstcause.views.views import Views
from firstcause.web.access_control import ACTOR_KEY


def get_application(request: Request) -> Application:
    application: Application = request.app.state.application
    return application


def get_views(request: Request) -> Views:
    views: Views = request.app.state.views
    return views


AppDep = Annotated[Application, Depends(get_application)]
"""A parameter that FastAPI fills with the application."""

ViewsDep = Annotated[Views, Depends(get_views)]
"""A parameter that FastAPI fills with the questions of the page."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def get_session_actor(request: Request) -> str | None:
    """The name of the signed-in browser that calls, None for a call with a token, or where none is needed."""
    actor: str | None = request.scope.get(ACTOR_KEY)
    return actor


SessionActorDep = Annotated[str | None, Depends(get_session_actor)]
"""A parameter that FastAPI fills with the name in which a session acts, whatever the call says."""
