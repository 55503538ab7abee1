#!/usr/bin/env bash
# A log call whose arguments do not fit its format was expected to be answered as by logging, of which picologging calls
# itself a drop-in replacement: a note on stderr, and the application goes on.
# picologging 0.9.3 raises TypeError out of logger.error(), so a mistake in an error path that nobody runs in tests
# replaces the error that was to be logged, and ends the request or the task.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check picologging==0.9.3 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("picologging", version("picologging"))
import io
import logging
import picologging
logging.raiseExceptions = False
def call(library):
    logger = library.getLogger("shop")
    logger.addHandler(library.StreamHandler(io.StringIO()))
    try:
        logger.error("%s refused %s", "payment")
    except Exception as error:
        return type(error).__name__
    return "goes on"
see("logging", call(logging), "goes on")
see("picologging", call(picologging), "TypeError")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
