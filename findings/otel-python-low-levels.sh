#!/usr/bin/env bash
# A Python level below DEBUG (5, a common TRACE) was expected to be exported as OTLP severity TRACE, 1 to 4.
# opentelemetry-sdk 1.45.2 exports it with severity 0, unspecified, so the number is left out of the message.
# logging.CRITICAL carries the text FATAL and not CRITICAL, and levels between the standard ones jump to the top of
# their band: 25 becomes INFO4, 35 becomes WARN4.
# A receiver that reads a missing severity as INFO puts trace noise above DEBUG, and one that maps severity text
# by the Python names never sees CRITICAL.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-common==1.45.2 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
import logging, warnings
warnings.simplefilter("ignore")
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor, InMemoryLogRecordExporter
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from google.protobuf.json_format import MessageToDict
print("opentelemetry-sdk", version("opentelemetry-sdk"))
keep = InMemoryLogRecordExporter()
provider = LoggerProvider()
provider.add_log_record_processor(SimpleLogRecordProcessor(keep))
log = logging.getLogger("shop"); log.setLevel(1); log.propagate = False
log.addHandler(LoggingHandler(logger_provider=provider))
for level in (5, 10, 25, 35, 50):
    log.log(level, "x")
for level, rec, want in zip((5, 10, 25, 35, 50), keep.get_finished_logs(), (("Level 5", None), ("DEBUG", "DEBUG"), ("Level 25", "INFO4"), ("Level 35", "WARN4"), ("FATAL", "FATAL"))):
    sent = MessageToDict(encode_logs([rec]))["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    number = sent.get("severityNumber")
    see(f"level {level}: text, number", (sent.get("severityText"), number and number.replace("SEVERITY_NUMBER_", "")), want)
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
