#!/usr/bin/env bash
# The B3 header "b3: 0" (do not trace, and no ids) was expected to keep the next span unsampled, and a header with ids
# but no decision to leave the decision to the receiver.
# The OpenTelemetry B3 propagators (Python 1.45.1, JavaScript 3.1.0) read nothing from "b3: 0" or "x-b3-sampled: 0",
# so a new, sampled trace starts where the caller asked for none.
# Ids without a decision mean unsampled in JavaScript and, with the x-b3 headers, in Python;
# with the single b3 header Python takes the same for sampled.
# Health checks that a proxy marks with 0 fill the trace store, and traces of callers that leave the choice open vanish.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check opentelemetry-sdk==1.45.2 opentelemetry-propagator-b3==1.45.1 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @opentelemetry/api@1.10.0 @opentelemetry/core@3.1.1 @opentelemetry/propagator-b3@3.1.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("opentelemetry-sdk", version("opentelemetry-sdk"))
print("opentelemetry-propagator-b3", version("opentelemetry-propagator-b3"))
from opentelemetry import trace
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.sdk.trace import TracerProvider
tracer = TracerProvider().get_tracer("probe")
def sampled(propagator, headers):
    return bool(tracer.start_span("next", context=propagator.extract(headers)).get_span_context().trace_flags & 1)
a, b = "a" * 32, "b" * 16
see("b3: 0", sampled(B3SingleFormat(), {"b3": "0"}), True)
see("x-b3-sampled: 0", sampled(B3MultiFormat(), {"x-b3-sampled": "0"}), True)
see("b3 with ids and 0", sampled(B3SingleFormat(), {"b3": f"{a}-{b}-0"}), False)
see("b3 with ids, no decision", sampled(B3SingleFormat(), {"b3": f"{a}-{b}"}), True)
see("x-b3 with ids, no decision", sampled(B3MultiFormat(), {"x-b3-traceid": a, "x-b3-spanid": b}), False)
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('@opentelemetry/api');
release('@opentelemetry/core');
release('@opentelemetry/propagator-b3');
const api = require('@opentelemetry/api'); const { B3Propagator } = require('@opentelemetry/propagator-b3');
const read = headers => api.trace.getSpanContext(new B3Propagator().extract(api.ROOT_CONTEXT, headers, api.defaultTextMapGetter));
const flags = headers => { const c = read(headers); return c ? c.traceFlags : null; };
const [a, b] = ['a'.repeat(32), 'b'.repeat(16)];
see('JavaScript, b3: 0', flags({ b3: '0' }), null);
see('JavaScript, x-b3-sampled: 0', flags({ 'x-b3-sampled': '0' }), null);
see('JavaScript, b3 with ids, no decision', flags({ b3: a + '-' + b }), 0);
see('JavaScript, x-b3 with ids, no decision', flags({ 'x-b3-traceid': a, 'x-b3-spanid': b }), 0);
process.exit(good ? 0 : 1);
JS
node probe.js
