"""A way in for CloudEvents over HTTP, in its three modes: binary, structured and batch."""

from __future__ import annotations

from firstcause import IntakeFormat, hookimpl
from firstcause_cloudevents.config import Config
from firstcause_cloudevents.parser import Parser

__all__ = ["Config", "firstcause_intake"]


@hookimpl
def firstcause_intake(config: Config) -> list[IntakeFormat]:
    return [IntakeFormat("cloudevents", Parser(config).parse)]
