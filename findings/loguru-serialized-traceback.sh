#!/usr/bin/env bash
# A record that loguru writes as JSON (serialize=True) was expected to hold the traceback as text in its exception part.
# loguru 0.7.3 writes the type and the value there, and for the traceback only true.
# The frames exist solely inside "text", joined to the formatted line after its prefix of time, level and place;
# neither the file and line of the raise nor the cause of a chained exception has a field of its own.
# A reader that groups by record.exception.traceback groups every exception of one type together,
# and one that shows it shows "true".
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check loguru==0.7.3 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("loguru", version("loguru"))
import json
from loguru import logger
lines = []
logger.remove()
logger.add(lines.append, serialize=True)
try:
    try:
        {}["order"]
    except KeyError as e:
        raise ValueError("no such order") from e
except ValueError:
    logger.exception("payment failed")
record = json.loads(lines[0])
print(json.dumps(record["record"]["exception"]))
see("exception", record["record"]["exception"], {"type": "ValueError", "value": "no such order", "traceback": True})
see("frames in the text", "Traceback (most recent call last)" in record["text"], True)
see("cause anywhere in the record part", "KeyError" in json.dumps(record["record"]), False)
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
