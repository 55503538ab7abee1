#!/usr/bin/env bash
# Two attributes that become one Prometheus label (http.code and http_code) were expected to be joined with a semicolon,
# as the OpenTelemetry specification asks.
# opentelemetry-exporter-prometheus 0.66b2 for Python keeps one value and drops the other.
# Two series that differ only in the dropped value come out with equal labels, twice in one answer,
# which is a duplicate sample to a Prometheus server.
# Services in the middle of a change of naming carry both names: the sums are wrong at once, and no log tells of it.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check opentelemetry-sdk==1.45.2 opentelemetry-exporter-prometheus==0.66b2 prometheus_client==0.26.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("opentelemetry-sdk", version("opentelemetry-sdk"))
print("opentelemetry-exporter-prometheus", version("opentelemetry-exporter-prometheus"))
print("prometheus_client", version("prometheus_client"))
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, generate_latest
counter = MeterProvider(metric_readers=[PrometheusMetricReader()]).get_meter("shop").create_counter("requests")
counter.add(1, {"http.code": "200", "http_code": "old"})
counter.add(5, {"http.code": "500", "http_code": "old"})
lines = [line for line in generate_latest(REGISTRY).decode().splitlines() if line.startswith("requests_total")]
print("\n".join(lines))
see("values of the label", [line.split('http_code="')[1].split('"')[0] for line in lines], ["old", "old"])
see("samples with the same name and labels", len(lines) - len({line.rsplit(" ", 1)[0] for line in lines}), 1)
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
