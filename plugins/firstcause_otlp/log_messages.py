"""The messages of OTLP's export of logs, by the numbers of their fields in OpenTelemetry's .proto files."""

from __future__ import annotations

from firstcause_otlp import wire_format as wire

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SEVERITY_NUMBERS = {
    4 * index + number: f"SEVERITY_NUMBER_{level}{number if number > 1 else ''}"
    for index, level in enumerate(_LEVELS)
    for number in range(1, 5)
}

ANY_VALUE = wire.WireMessage(is_oneof=True)
KEY_VALUE = wire.WireMessage().add_fields({1: wire.text("key"), 2: wire.message("value", ANY_VALUE)})
_ARRAY = wire.WireMessage().add_fields({1: wire.message("values", ANY_VALUE, repeated=True)})
_KEY_VALUE_LIST = wire.WireMessage().add_fields({1: wire.message("values", KEY_VALUE, repeated=True)})
ANY_VALUE.add_fields(
    {
        1: wire.text("stringValue"),
        2: wire.boolean("boolValue"),
        3: wire.int64("intValue"),
        4: wire.double("doubleValue"),
        5: wire.message("arrayValue", _ARRAY),
        6: wire.message("kvlistValue", _KEY_VALUE_LIST),
        7: wire.octets("bytesValue"),
    }
)
_ATTRIBUTES = wire.message("attributes", KEY_VALUE, repeated=True)
RESOURCE = wire.WireMessage().add_fields({1: _ATTRIBUTES, 2: wire.uint32("droppedAttributesCount")})
SCOPE = wire.WireMessage().add_fields(
    {
        1: wire.text("name"),
        2: wire.text("version"),
        3: _ATTRIBUTES,
        4: wire.uint32("droppedAttributesCount"),
    }
)
_LOG_RECORD = wire.WireMessage().add_fields(
    {
        1: wire.fixed64("timeUnixNano"),
        2: wire.enum("severityNumber", _SEVERITY_NUMBERS),
        3: wire.text("severityText"),
        5: wire.message("body", ANY_VALUE),
        6: _ATTRIBUTES,
        7: wire.uint32("droppedAttributesCount"),
        8: wire.fixed32("flags"),
        9: wire.hexadecimal("traceId"),
        10: wire.hexadecimal("spanId"),
        11: wire.fixed64("observedTimeUnixNano"),
        12: wire.text("eventName"),
    }
)
_SCOPE_LOGS = wire.WireMessage().add_fields(
    {
        1: wire.message("scope", SCOPE),
        2: wire.message("logRecords", _LOG_RECORD, repeated=True),
        3: wire.text("schemaUrl"),
    }
)
_RESOURCE_LOGS = wire.WireMessage().add_fields(
    {
        1: wire.message("resource", RESOURCE),
        2: wire.message("scopeLogs", _SCOPE_LOGS, repeated=True),
        3: wire.text("schemaUrl"),
    }
)
LOGS_EXPORT = wire.WireMessage().add_fields({1: wire.message("resourceLogs", _RESOURCE_LOGS, repeated=True)})
