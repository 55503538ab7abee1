"""Ways in for Alertmanager's webhook, and for Prometheus that sends straight (API v2)."""

from __future__ import annotations

from firstcause import IntakeFormat, hookimpl
from firstcause_alertmanager.config import Config
from firstcause_alertmanager.parser import Parser

__all__ = ["Config", "firstcause_intake"]


@hookimpl
def firstcause_intake(config: Config) -> list[IntakeFormat]:
    return [
        IntakeFormat("alertmanager", Parser(config).parse, extra_paths=("/api/v2/alerts", "/api/v1/alerts"))
    ]
