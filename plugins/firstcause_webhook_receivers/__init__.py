"""Ways in for any tool that posts JSON, by a few lines of configuration that say where what stands."""

from __future__ import annotations

from firstcause import IntakeFormat, hookimpl
from firstcause_webhook_receivers.config import Config
from firstcause_webhook_receivers.parser import Parser

__all__ = ["Config", "firstcause_intake"]


@hookimpl
def firstcause_intake(config: Config) -> list[IntakeFormat]:
    return [
        IntakeFormat(mapping.path or name, Parser(name, mapping).parse)
        for name, mapping in config.root.items()
    ]
