"""Ways in for Alertmanager's webhook, and for Prometheus that sends straight (API v2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause import IntakeFormat, IntakeResponse, hookimpl
from firstcause_alertmanager.config import Config
from firstcause_alertmanager.parser import Parser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstcause import IntakeOutcome

_TOO_MANY_REQUESTS, _SERVICE_UNAVAILABLE = 429, 503

__all__ = ["Config", "firstcause_intake"]


@hookimpl
def firstcause_intake(config: Config) -> list[IntakeFormat]:
    return [
        IntakeFormat(
            "alertmanager",
            Parser(config).parse,
            extra_paths=("/api/v2/alerts", "/api/v1/alerts"),
            answer=_build_response,
        )
    ]


def _build_response(outcome: IntakeOutcome, _headers: Mapping[str, str]) -> IntakeResponse | None:
    """503 instead of 429, after which Alertmanager's webhook is silent until its next group_interval."""
    if outcome.status != _TOO_MANY_REQUESTS:
        return None
    return IntakeResponse(_SERVICE_UNAVAILABLE, {"error": outcome.error})
