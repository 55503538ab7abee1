#!/usr/bin/env bash
# A logfmt line that structlog writes was expected to be read back by the logfmt package as the same fields.
# logfmt 0.4 (Python) drops the backslash of \n, keeps the n, and then misses the closing quote: it reads on to the
# quote that opens the next value, so the next field is swallowed and its value split into a field of its own.
# A quoted value with backslashes becomes the boolean True, and the rest of the line is lost.
# Its own writer leaves a line break as it is, so that its record is two records to a line reader.
# Tracebacks and Windows paths are what such lines carry: the message is garbled, and the level after a path is gone.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check logfmt==0.4 structlog==26.1.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("logfmt", version("logfmt"))
print("structlog", version("structlog"))
import io
import logfmt
import structlog
def read(line):
    return list(logfmt.parse(io.StringIO(line)))[0]
write = structlog.processors.LogfmtRenderer()
line = write(None, "error", {"event": "first line\nsecond", "query": "a=b", "level": "error"})
print(line)
see("read back", read(line), {"event": "first linensecond\" query=", "a": "b", "level": "error"})
see("quoted path", read(r'path="C:\\temp" level=error'), {"path": True})
see("written with a line break", list(logfmt.format({"msg": "first\nsecond", "level": "error"})), ['msg="first\nsecond" level="error"'])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
