"""A way in for OpenTelemetry: OTLP/HTTP logs, of which errors are taken."""

from __future__ import annotations

from firstcause import IntakeFormat, hookimpl
from firstcause_otlp.answering import answer
from firstcause_otlp.config import Config
from firstcause_otlp.reading import Reader

__all__ = ["Config", "firstcause_intake"]


@hookimpl
def firstcause_intake(config: Config) -> list[IntakeFormat]:
    return [IntakeFormat("otlp", Reader(config).read, also=("/v1/logs",), answer=answer)]
