#!/usr/bin/env bash
# An observation of NaN in a histogram was expected to be counted in the +Inf bucket, or to be refused.
# prometheus_client 0.26.0 counts it in no bucket, so the count stays as it was, but adds it to the sum,
# which is NaN from then on until the process restarts.
# A counter takes inc(NaN) too, though it refuses a negative number, and is NaN for good.
# The average of the series and every rate over it are NaN: an alert on "> 0.5" compares with NaN and never fires,
# while the request count looks healthy.
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
print("prometheus_client", version("prometheus_client"))
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
registry = CollectorRegistry()
waits = Histogram("wait_seconds", "w", buckets=(1,), registry=registry)
errors = Counter("errors", "e", registry=registry)
waits.observe(float("nan"))
for _ in range(3):
    waits.observe(0.5)
errors.inc(float("nan"))
errors.inc(5)
lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#") and "_created" not in line]
print("\n".join(lines))
see("series", lines, ['wait_seconds_bucket{le="1.0"} 3.0', 'wait_seconds_bucket{le="+Inf"} 3.0', "wait_seconds_count 3.0", "wait_seconds_sum NaN", "errors_total NaN"])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
