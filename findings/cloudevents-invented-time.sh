#!/usr/bin/env bash
# An event that carries no time was expected to be read as an event without time, since time is optional.
# The CloudEvents SDKs (Python 2.2.0 and JavaScript 10.0.0) fill in the moment of reading when they parse such an event.
# Reading the same bytes twice yields two different times, and nothing tells them from a time the sender gave.
# Redelivered or replayed events look new, lag cannot be measured, and a store that orders by time orders by arrival
# without knowing it.
# A product that wants to know has to look at the raw bytes before the SDK does.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund cloudevents@10.0.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('cloudevents');
const { HTTP } = require('cloudevents');
const raw = JSON.stringify({ specversion: '1.0', id: '1', type: 't', source: '/s' });
const read = () => HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body: raw }).time;
const before = Date.now() - 5; const first = read();
setTimeout(() => { const second = read();
  console.log('JavaScript read', first, 'and', second);
  see('time is now', Date.parse(first) >= before && Date.parse(first) <= Date.now(), true);
  see('two readings agree', first === second, false);
  process.exit(good ? 0 : 1);
}, 50);
JS
node probe.js
python3 -m venv v
v/bin/pip install -q --disable-pip-version-check cloudevents==2.2.0 2>pip.log || { cat pip.log; exit 2; }
cat > probe.py <<'PY'
import datetime, sys, time
from importlib.metadata import version
from cloudevents.core.bindings import http
print("cloudevents for Python", version("cloudevents"))
raw = http.HTTPMessage({"content-type": "application/cloudevents+json"}, b"{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"source\":\"/s\"}")
before = datetime.datetime.now(datetime.timezone.utc)
first = http.from_structured_event(raw).get_time(); time.sleep(0.05); second = http.from_structured_event(raw).get_time()
print("Python read", first, "and", second)
sys.exit(0 if first and before <= first < second else 1)
PY
v/bin/python probe.py
