#!/usr/bin/env bash
# Baggage "web shop" set in Python was expected to arrive in JavaScript as "web shop", and a property behind a
# semicolon to be kept apart from the value, as the W3C text asks.
# opentelemetry 1.45.2 for Python writes a blank as "+", a form encoding that baggage does not have:
# @opentelemetry/core 3.1.1 rightly reads "web+shop".
# On reading, Python makes "7;ttl=5" one value and sends it on as 7%3Bttl%3D5, so the property becomes data for
# every service behind it. JavaScript in turn drops an entry with an empty value, which is allowed.
# A rule or a sampler that compares a baggage value works in one language and misses in the other.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check opentelemetry-sdk==1.45.2 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @opentelemetry/api@1.10.0 @opentelemetry/core@3.1.1 >npm.log 2>&1 || { cat npm.log; exit 2; }
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
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
p = W3CBaggagePropagator()
out = {}
p.inject(out, baggage.set_baggage("team", "web shop"))
see("Python writes", out["baggage"], "team=web+shop")
context = p.extract({"baggage": "order=7;ttl=5,empty="})
see("Python reads", dict(baggage.get_all(context)), {"order": "7;ttl=5", "empty": ""})
out = {}
p.inject(out, context)
see("Python sends on", out["baggage"], "order=7%3Bttl%3D5,empty=")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('@opentelemetry/api');
release('@opentelemetry/core');
const api = require('@opentelemetry/api'); const { W3CBaggagePropagator } = require('@opentelemetry/core');
const p = new W3CBaggagePropagator();
const read = text => Object.fromEntries(api.propagation.getBaggage(p.extract(api.ROOT_CONTEXT, { baggage: text }, api.defaultTextMapGetter)).getAllEntries().map(([k, e]) => [k, e.value]));
see('JavaScript reads', read('team=web+shop,order=7;ttl=5,empty='), { team: 'web+shop', order: '7' });
const out = {};
p.inject(api.propagation.setBaggage(api.ROOT_CONTEXT, api.propagation.createBaggage({ team: { value: 'web shop' } })), out, api.defaultTextMapSetter);
see('JavaScript writes', out.baggage, 'team=web%20shop');
process.exit(good ? 0 : 1);
JS
node probe.js
