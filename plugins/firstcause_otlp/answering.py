"""The answers that exporters of OTLP understand."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from firstcause import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstcause import Outcome

_PROTOBUF = "application/x-protobuf"


def answer(outcome: Outcome, headers: Mapping[str, str]) -> Answer | None:
    """200 with an ExportLogsServiceResponse in the sender's own encoding; None where it is refused."""
    if outcome.error is not None:
        return None
    refused = len(outcome.rejected)
    said = outcome.rejected[0][1] if refused else ""
    if "protobuf" in headers.get("content-type", "").lower():
        return Answer(200, _packed(refused, said), {"Content-Type": _PROTOBUF})
    partial = {"partialSuccess": {"rejectedLogRecords": str(refused), "errorMessage": said}}
    return Answer(200, partial if refused else {})


def _packed(refused: int, said: str) -> bytes:
    """The empty message is no bytes."""
    with suppress(ModuleNotFoundError):
        from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as pb  # noqa: PLC0415

        if refused:
            partial = pb.ExportLogsPartialSuccess(rejected_log_records=refused, error_message=said)
            packed: bytes = pb.ExportLogsServiceResponse(partial_success=partial).SerializeToString()
            return packed
    return b""
