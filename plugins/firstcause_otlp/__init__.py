"""A way in for OpenTelemetry: OTLP/HTTP logs, of which errors are taken."""

from __future__ import annotations

from firstcause import IntakeFormat, hookimpl
from firstcause_otlp.config import Config
from firstcause_otlp.parser import Parser
from firstcause_otlp.responses import build_response

__all__ = ["Config", "firstcause_intake"]


@hookimpl
def firstcause_intake(config: Config) -> list[IntakeFormat]:
    return [IntakeFormat("otlp", Parser(config).parse, extra_paths=("/v1/logs",), answer=build_response)]
