"""OTLP's protobuf, read without a library, is what Google's library reads."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firstcause_otlp.log_messages import LOGS_EXPORT
from firstcause_otlp.responses import encode_response
from firstcause_otlp.wire_format import WireFormatError

json_format = pytest.importorskip("google.protobuf.json_format")
logs_service = pytest.importorskip("opentelemetry.proto.collector.logs.v1.logs_service_pb2")
DecodeError = pytest.importorskip("google.protobuf.message").DecodeError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
octets = st.binary(max_size=20).map(lambda data: base64.b64encode(data).decode())
scalars = st.one_of(
    texts.map(lambda text: {"stringValue": text}),
    st.booleans().map(lambda value: {"boolValue": value}),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: {"intValue": str(value)}),
    (
        st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["NaN", "Infinity", "-Infinity"])
    ).map(lambda value: {"doubleValue": value}),
    octets.map(lambda data: {"bytesValue": data}),
    st.just({}),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: {"arrayValue": {"values": items}})
        | st.lists(st.fixed_dictionaries({"key": texts}, optional={"value": inner}), max_size=3).map(
            lambda items: {"kvlistValue": {"values": items}}
        )
    ),
    max_leaves=6,
)
attributes = st.lists(st.fixed_dictionaries({}, optional={"key": texts, "value": values}), max_size=3)
nanoseconds = st.integers(0, 2**64 - 1).map(str)
records = st.fixed_dictionaries(
    {},
    optional={
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds,
        "severityNumber": st.integers(-3, 30),
        "severityText": texts,
        "body": values,
        "attributes": attributes,
        "droppedAttributesCount": st.integers(0, 2**32 - 1),
        "flags": st.integers(0, 2**32 - 1),
        "traceId": octets,
        "spanId": octets,
        "eventName": texts,
    },
)
scopes = st.fixed_dictionaries(
    {},
    optional={
        "scope": st.fixed_dictionaries(
            {}, optional={"name": texts, "version": texts, "attributes": attributes}
        ),
        "logRecords": st.lists(records, max_size=3),
        "schemaUrl": texts,
    },
)
exports = st.fixed_dictionaries(
    {},
    optional={
        "resourceLogs": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "resource": st.fixed_dictionaries({}, optional={"attributes": attributes}),
                    "scopeLogs": st.lists(scopes, max_size=2),
                    "schemaUrl": texts,
                },
            ),
            max_size=2,
        )
    },
)


def read_by_google(body: bytes) -> Any:
    """With ids as hexadecimal digits, as OTLP's own JSON has them, and without fields that came later."""
    export = json_format.MessageToDict(logs_service.ExportLogsServiceRequest.FromString(body))
    for resource_logs in export.get("resourceLogs", ()):
        resource_logs.get("resource", {}).pop("entityRefs", None)
        for scope_logs in resource_logs.get("scopeLogs", ()):
            for record in scope_logs.get("logRecords", ()):
                for name in {"traceId", "spanId"} & record.keys():
                    record[name] = base64.b64decode(record[name]).hex()
    return export


def write_by_google(export: Any) -> bytes:
    message = json_format.ParseDict(export, logs_service.ExportLogsServiceRequest())
    return bytes(message.SerializeToString())


@settings(max_examples=150, deadline=None)
@given(exports)
def test_an_export_is_read_as_the_library_reads_it(export: Any) -> None:
    body = write_by_google(export)
    assert LOGS_EXPORT.decode(body) == read_by_google(body)


@settings(max_examples=150, deadline=None)
@given(exports, exports, st.data())
def test_damaged_and_joined_bytes_are_read_or_refused_as_the_library_does(
    export: Any, other: Any, data: st.DataObject
) -> None:
    body = bytearray(write_by_google(export) + write_by_google(other))
    for _ in range(data.draw(st.integers(0, 2))):
        if body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(body[: data.draw(st.integers(0, len(body)))])
    try:
        expected = read_by_google(damaged)
    except DecodeError:
        expected = None
    try:
        decoded = LOGS_EXPORT.decode(damaged)
    except WireFormatError:
        decoded = None
    # The library knows groups, and fields that came later; neither is written by an exporter.
    if expected is None:
        assert decoded is None
    elif decoded is not None and "trindex" not in str(expected):
        assert decoded == expected


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a",
        b"\x0a\x05\x01",
        b"\x00\x01",
        b"\xff" * 11,
        b"\x0b\x0c",
        b"\x0a\x80",
        b"\x0a\x04\x1a\x02\xff\xfe",
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(WireFormatError):
        LOGS_EXPORT.decode(body)


def test_deep_nesting_is_refused() -> None:
    body = b""
    for _ in range(2000):
        body = (
            b"\x2a" + _varint(len(body) + 2 + len(_varint(len(body)))) + b"\x0a" + _varint(len(body)) + body
        )
    record = b"\x2a" + _varint(len(body)) + body
    scope = b"\x12" + _varint(len(record)) + record
    resource = b"\x12" + _varint(len(scope)) + scope
    with pytest.raises(WireFormatError):
        LOGS_EXPORT.decode(b"\x0a" + _varint(len(resource)) + resource)


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded, value = encoded + bytes([value & 0x7F | 0x80]), value >> 7
    return encoded + bytes([value])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**40), texts)
@example(1, "x" * 300)
def test_the_answer_is_what_the_library_reads(rejected_count: int, message: str) -> None:
    response = logs_service.ExportLogsServiceResponse.FromString(encode_response(rejected_count, message))
    assert response.partial_success.rejected_log_records == rejected_count
    assert response.partial_success.error_message == (message if rejected_count else "")
