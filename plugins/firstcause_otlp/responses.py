"""The answers that exporters of OTLP understand."""

from __future__ import annotations

from random import randint
from typing import TYPE_CHECKING

from firstcause import IntakeResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstcause import IntakeOutcome

_RETRY_AFTER_S = (1, 3)
"""The fewest and the most seconds that an exporter is asked to wait; Python's and JavaScript's have ten."""

_PROTOBUF_TYPE = "application/x-protobuf"


def build_response(outcome: IntakeOutcome, headers: Mapping[str, str]) -> IntakeResponse | None:
    """200 with an ExportLogsServiceResponse in the sender's own encoding; None where it is refused."""
    if outcome.error is not None:
        if outcome.retry_after is None:
            return None
        # Exporters add this to their own waits, and drop the batch where that is more than their time limit.
        headers = {"Retry-After": str(randint(*_RETRY_AFTER_S))}  # noqa: S311 - no secret
        return IntakeResponse(outcome.status, {"message": outcome.error, "error": outcome.error}, headers)
    rejected_count = len(outcome.rejected)
    message = outcome.rejected[0][1] if rejected_count else ""
    if "protobuf" in headers.get("content-type", "").lower():
        return IntakeResponse(200, encode_response(rejected_count, message), {"Content-Type": _PROTOBUF_TYPE})
    partial = {"partialSuccess": {"rejectedLogRecords": str(rejected_count), "errorMessage": message}}
    return IntakeResponse(200, partial if rejected_count else {})


def encode_response(rejected_count: int, message: str) -> bytes:
    """Encode an ExportLogsServiceResponse: zero bytes where nothing was rejected."""
    if not rejected_count:
        return b""
    text = message.encode("utf-8", "replace")
    partial_success = b"\x08%b\x12%b%b" % (_encode_varint(rejected_count), _encode_varint(len(text)), text)
    return b"\x0a%b%b" % (_encode_varint(len(partial_success)), partial_success)


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
