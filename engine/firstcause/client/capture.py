"""What the caller's thread takes of an error; all that costs time happens later, on the worker's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from firstcause.client import sanitize
from firstcause.client.exception_info import capture_chain, find_caller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstcause.client.exception_info import CapturedException, CodeLocation

SEVERITY_NAMES = frozenset({
    "TRACE", "VERBOSE", "DEBUG", "LOG", "NOTICE", "NONE", "INFO", "INFORMATION", "INFORMATIONAL", "LOW",
    "WARN", "WARNING", "AVERAGE", "MEDIUM", "MINOR", "MODERATE", "TICKET", "ERR", "ERROR", "SEVERE",
    "CRIT", "CRITICAL", "FATAL", "ALERT", "ALARM", "EMERG", "EMERGENCY", "PANIC", "DISASTER", "BLOCKER",
    "URGENT", "HIGH", "MAJOR", "PAGE", "P0", "P1", "P2", "P3", "P4", "P5",
    "SEV0", "SEV1", "SEV2", "SEV3", "SEV4", "SEV5",
})  # fmt: skip
"""What the daemon knows as severities; any other word would have the event rejected."""


class CapturedError(NamedTuple):
    """fields: of the event, plain already. at: seconds since 1970. where: None where raised knows it."""

    fields: dict[str, Any]
    timestamp: float
    exceptions: tuple[CapturedException, ...] = ()
    location: CodeLocation | None = None


class FlushMark:
    """Stands in the queue behind what flush() waits for."""

    is_reached = False


def capture_error(
    error: BaseException | None,
    params: Mapping[str, Any],
    context_fields: Mapping[str, Any] | None,
    location: CodeLocation | None = None,
    timestamp: float | None = None,
) -> CapturedError:
    """given: fields of the event as the caller has them. bound: those that hold for all within a context."""
    fields: dict[str, Any] = {"id": params["id"]}
    extra_details: dict[str, Any] = {}
    for key in ("code", "tenant", "service"):
        value = params.get(key)
        if value is None and context_fields is not None:
            value = context_fields.get(key)
        if (text := sanitize.to_name(value)) is not None:
            fields[key] = text
    if params.get("message") is not None and (message := sanitize.to_text(params["message"]).strip()):
        fields["message"] = message
    if (severity := params.get("severity")) is not None:
        severity_name = str(severity).strip().upper()
        (fields if severity_name in SEVERITY_NAMES else extra_details)["severity"] = severity_name[
            : sanitize.MAX_NAME_LENGTH
        ]
    if params.get("resolved"):
        fields["resolved"] = True
    _add_details(fields, params, context_fields, extra_details)
    exceptions = capture_chain(error) if error is not None else ()
    if "code" not in fields and "message" not in fields and not exceptions:
        fields["message"] = "an error without code and message was reported"
    if location is None and not (exceptions and exceptions[0].frames):
        return CapturedError(
            fields, time.time() if timestamp is None else timestamp, exceptions, find_caller()
        )
    return CapturedError(fields, time.time() if timestamp is None else timestamp, exceptions, location)


def _add_details(
    fields: dict[str, Any],
    params: Mapping[str, Any],
    context_fields: Mapping[str, Any] | None,
    extra_details: dict[str, Any],
) -> None:
    details, tags = params.get("details"), params.get("tags")
    if context_fields is not None:
        details = {**(context_fields.get("details") or {}), **_to_mapping(details)}
        tags = {**(context_fields.get("tags") or {}), **_to_mapping(tags)}
    if details or extra_details:
        fields["details"] = {**sanitize.sanitize_details(details), **extra_details}
    if tags:
        clean_tags = sanitize.sanitize_details(tags)
        fields["tags"] = {
            key: sanitize.to_text(value, sanitize.MAX_TEXT_LENGTH // 4) for key, value in clean_tags.items()
        }


def _to_mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {"value": value} if value else {}
