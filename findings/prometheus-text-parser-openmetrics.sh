#!/usr/bin/env bash
# The plain text parser was expected to read a counter declared without its suffix (# TYPE jobs counter, jobs_total 5)
# as one counter family, and to leave out an exemplar it does not know.
# prometheus_client 0.26.0 yields an empty counter family "jobs" and a second family "jobs_total" of unknown type,
# and it takes the value of the exemplar for a time stamp in milliseconds.
# Exporters answer in this OpenMetrics form when asked for it, often still saved as plain .prom files.
# A collector that picks the parser by habit loses the counter type and dates samples to 1970, without an error.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check prometheus_client==0.26.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
from prometheus_client.parser import text_string_to_metric_families as plain
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openm
print("prometheus_client", version("prometheus_client"))
body = "# TYPE jobs counter\njobs_total 5 # {trace_id=\"ab\"} 1500\n"
def shape(families):
    return [(f.name, f.type, [(s.name, s.value, s.timestamp) for s in f.samples]) for f in families]
see("plain parser", shape(plain(body)), [("jobs", "counter", []), ("jobs_total", "unknown", [("jobs_total", 5.0, 1.5)])])
see("OpenMetrics parser", shape(openm(body + "# EOF\n")), [("jobs", "counter", [("jobs_total", 5.0, None)])])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
