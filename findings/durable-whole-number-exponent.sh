#!/usr/bin/env bash
# Any float the Python json module writes was expected to be accepted as an event value.
# durable_rules 2.0.28 refuses an event with error 204 when the float is written with an exponent but no decimal point.
# 0.0000001 and 10000000000000000.0 are written 1e-07 and 1e+16 and are refused; 1.5e-07 and 1.5e+16 are taken.
# Error rates, byte counts and nanosecond times sent as floats land on such round values now and then,
# so the same alert source works for weeks and then loses one event to an error that names neither field nor value.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check durable_rules==2.0.28 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
import json
from durable.lang import ruleset, when_all, m, post
print("durable_rules", version("durable_rules"))
with ruleset("rate"):
    @when_all(m.r > 0)
    def hit(c):
        pass
for value, want in ((1.5e-07, "taken"), (1e-07, "204"), (0.5, "taken"), (1e16, "204"), (1.5e16, "taken"), (1e15, "taken")):
    try:
        post("rate", {"r": value})
        got = "taken"
    except Exception as e:
        got = "204" if "204" in str(e) else str(e)
    see("written " + json.dumps(value), got, want)
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
