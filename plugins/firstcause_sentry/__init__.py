"""A way in for unmodified Sentry SDKs whose DSN points here."""

from __future__ import annotations

from firstcause import IntakeFormat, hookimpl
from firstcause_sentry.config import Config
from firstcause_sentry.manners import answer, key, key_of_envelope
from firstcause_sentry.reading import Reader

__all__ = ["Config", "firstcause_intake"]


@hookimpl
def firstcause_intake(config: Config) -> list[IntakeFormat]:
    reader, pages = Reader(config), config.origins
    envelopes, stores = ("/api/{project}/envelope/",), ("/api/{project}/store/",)
    return [
        IntakeFormat("sentry", reader.envelope, envelopes, answer, key_of_envelope, pages),
        IntakeFormat("sentry/store", reader.store, stores, answer, key, pages),
    ]
