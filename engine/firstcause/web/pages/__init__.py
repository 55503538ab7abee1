"""The web pages: one module an area, and what the areas share."""

from __future__ import annotations

from fastapi import APIRouter

from firstcause.web.pages import (
    api_docs,
    bulk,
    catalog,
    health,
    incident,
    overview,
    rules,
    settings,
    sign_in,
    silences,
    snapshots,
    trends,
)

router = APIRouter(include_in_schema=False)
for _area in (
    overview,
    bulk,
    incident,
    silences,
    health,
    trends,
    snapshots,
    catalog,
    rules,
    settings,
    api_docs,
    sign_in,
):
    router.include_router(_area.router)
