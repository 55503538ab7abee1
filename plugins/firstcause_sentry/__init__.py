"""A way in for unmodified Sentry SDKs whose DSN points here."""

from __future__ import annotations

from firstcause import IntakeFormat, hookimpl
from firstcause_sentry.config import Config
from firstcause_sentry.reading import Reader

__all__ = ["Config", "firstcause_intake"]


@hookimpl
def firstcause_intake(config: Config) -> list[IntakeFormat]:
    reader = Reader(config)
    return [
        IntakeFormat("sentry", reader.envelope, also=("/api/{project}/envelope/",)),
        IntakeFormat("sentry/store", reader.store, also=("/api/{project}/store/",)),
    ]
