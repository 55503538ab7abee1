#!/usr/bin/env bash
# A point with an infinite value was expected to raise an error, since line protocol has no form for it.
# influxdb-client 1.50.0 leaves the field out without a word, as it does with NaN, and a point that had no other
# field becomes an empty line, which the writer skips.
# An integer above 2**63 - 1, equally impossible in the format, is written.
# A ratio whose divisor falls to zero is just what an alert waits for: the series stops at that moment,
# and the write call succeeds.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check influxdb-client==1.50.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("influxdb-client", version("influxdb-client"))
from influxdb_client import Point
see("ratio of inf", Point("jobs").field("ratio", float("inf")).to_line_protocol(), "")
see("ratio of inf and a count", Point("jobs").field("ratio", float("inf")).field("count", 5).to_line_protocol(), "jobs count=5i")
see("NaN", Point("jobs").field("ratio", float("nan")).to_line_protocol(), "")
see("2**63", Point("jobs").field("count", 2**63).to_line_protocol(), "jobs count=9223372036854775808i")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
