#!/usr/bin/env bash
# RFC 3339 lets T and Z be small letters, and knows leap seconds (its own examples have 1990-12-31T23:59:60Z);
# both were expected to be valid.
# rfc3339-validator 0.1.4, which is made to check just this, refuses all three.
# A sender that writes small letters, or reports in a leap second, is answered that its time is no time,
# and the whole event is refused by an API that checks formats.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check rfc3339-validator==0.1.4 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("rfc3339-validator", version("rfc3339-validator"))
from rfc3339_validator import validate_rfc3339
see("capital letters", validate_rfc3339("2026-12-01T10:10:10Z"), True)
see("a small t", validate_rfc3339("2026-12-01t10:10:10Z"), False)
see("a small z", validate_rfc3339("2026-12-01T10:10:10z"), False)
see("the leap second of the RFC", validate_rfc3339("1990-12-31T23:59:60Z"), False)
see("an offset that is not known", validate_rfc3339("2026-12-01T10:10:10-00:00"), True)
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
