"""Intake for any tool that posts JSON: the configuration says where in the JSON each field is."""

from __future__ import annotations

from firstcause import IntakeFormat, hookimpl
from firstcause_webhook_receivers.config import Config
from firstcause_webhook_receivers.parser import Parser

__all__ = ["FORMER_NAMES", "Config", "firstcause_intake"]

FORMER_NAMES = ("webhooks",)


@hookimpl
def firstcause_intake(config: Config) -> list[IntakeFormat]:
    return [
        IntakeFormat(mapping.path or name, Parser(name, mapping).parse)
        for name, mapping in config.root.items()
    ]
