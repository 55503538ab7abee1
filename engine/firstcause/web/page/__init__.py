"""The page: one module an area, and what they share."""

from __future__ import annotations

from fastapi import APIRouter

from firstcause.web.page import (
    calls,
    catalog,
    entering,
    health,
    incident,
    now,
    rules,
    settings,
    silences,
    snapshots,
    trends,
)

router = APIRouter(include_in_schema=False)
for _area in (now, incident, silences, health, trends, snapshots, catalog, rules, settings, calls, entering):
    router.include_router(_area.router)
