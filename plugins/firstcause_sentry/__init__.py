"""A way in for unmodified Sentry SDKs whose DSN points here."""

from __future__ import annotations

from firstcause import IntakeFormat, hookimpl
from firstcause_sentry.config import Config
from firstcause_sentry.parser import Parser
from firstcause_sentry.protocol import build_response, cron_key, envelope_key, request_key

__all__ = ["Config", "firstcause_intake"]


@hookimpl
def firstcause_intake(config: Config) -> list[IntakeFormat]:
    parser, pages = Parser(config), config.origins
    envelopes, stores = ("/api/{project}/envelope/",), ("/api/{project}/store/",)
    crons = ("/api/{project}/cron/{slug}/{key}/", "/api/{project}/cron/{slug}/")
    return [
        IntakeFormat("sentry", parser.parse_envelope, envelopes, build_response, envelope_key, pages),
        IntakeFormat("sentry/store", parser.parse_store_event, stores, build_response, request_key, pages),
        IntakeFormat(
            "sentry/cron", parser.parse_cron, crons, build_response, cron_key, pages, methods=("GET", "POST")
        ),
    ]
