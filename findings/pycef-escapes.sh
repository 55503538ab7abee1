#!/usr/bin/env bash
# A CEF line with an escaped pipe in its name was expected to be read with that pipe as part of the name.
# pycef 1.11 ends the header there: the name is empty, the severity is missing,
# and the last word of the name and the severity become part of the first key of the extension.
# In the extension \= and \n stay as they are written, and a custom string is filed under its label,
# so the key depends on what the sender called it.
# The CEF rules ask a sender to escape in just this way; a rule on severity misses such an event without an error.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check pycef==1.11 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("pycef", version("pycef"))
import pycef
event = pycef.parse(r"CEF:0|Acme|Gate|1.0|100|login \| refused|9|src=10.0.0.1 msg=reason\=expired\nretry cs1=blue cs1Label=Team Name")
for key, value in sorted(event.items()):
    print(f"  {key} = {value}")
see("name", event["Name"], "")
see("severity", event.get("Severity"), None)
see("keys with a pipe", [k for k in event if "|" in k], ["refused|9|src"])
see("msg", event["msg"], r"reason\=expired\nretry")
see("custom string", (event.get("cs1"), event.get("Team Name")), (None, "blue"))
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
