"""The answers that exporters of OTLP understand."""

from __future__ import annotations

from contextlib import suppress
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
        return IntakeResponse(
            200, _encode_protobuf(rejected_count, message), {"Content-Type": _PROTOBUF_TYPE}
        )
    partial = {"partialSuccess": {"rejectedLogRecords": str(rejected_count), "errorMessage": message}}
    return IntakeResponse(200, partial if rejected_count else {})


def _encode_protobuf(rejected_count: int, message: str) -> bytes:
    """Encode the empty message, which is zero bytes."""
    with suppress(ModuleNotFoundError):
        from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as pb  # noqa: PLC0415

        if rejected_count:
            partial = pb.ExportLogsPartialSuccess(rejected_log_records=rejected_count, error_message=message)
            encoded: bytes = pb.ExportLogsServiceResponse(partial_success=partial).SerializeToString()
            return encoded
    return b""
