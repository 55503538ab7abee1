#!/usr/bin/env bash
# A duration whose last unit was forgotten, "1h30" or "90", was expected to be refused, or to mean minutes or seconds.
# durations-nlp 1.0.1 drops the number without a unit and raises nothing: an hour, and no time at all.
# "1.5 hours", which people write, is refused.
# A timeout read by it is zero for "90", and half an hour short for "1h30".
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check durations-nlp==1.0.1 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("durations-nlp", version("durations-nlp"))
from durations_nlp import Duration
def seconds(text):
    try:
        return Duration(text).to_seconds()
    except Exception as error:
        return type(error).__name__
see("with units", seconds("1h 30m"), 5400.0)
see("the last unit forgotten", seconds("1h30"), 3600.0)
see("no unit", seconds("90"), 0.0)
see("a fraction", seconds("1.5 hours"), "InvalidTokenError")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
