#!/usr/bin/env bash
# Trace headers were expected to be found whatever their case, since HTTP header names have none.
# extract_zipkin_attrs_from_headers of py_zipkin 1.2.8 finds x-b3-traceid only when it is written X-B3-TraceId in a
# plain dict, and else returns None, as if the caller sent no trace.
# HTTP/2 and every ASGI server hand header names over in lower case.
# The single header, which is written in lower case, is found, so a test with that one passes.
# Behind such a server every request starts a trace of its own, and no chain of calls can be put together.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check py_zipkin==1.2.8 setuptools==80.9.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("py_zipkin", version("py_zipkin"))
print("setuptools", version("setuptools"))
from py_zipkin.request_helpers import extract_zipkin_attrs_from_headers as extract
a, b = "a" * 16, "b" * 16
see("X-B3-TraceId", extract({"X-B3-TraceId": a, "X-B3-SpanId": b, "X-B3-Sampled": "1"}).trace_id, a)
see("x-b3-traceid", extract({"x-b3-traceid": a, "x-b3-spanid": b, "x-b3-sampled": "1"}), None)
see("b3", extract({"b3": f"{a}-{b}-1"}).trace_id, a)
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
