#!/usr/bin/env bash
# A counter with a label whose value is undefined was expected to be refused, or to be written without that label.
# prom-client 15.1.3 takes undefined and a missing label for one series, and names it after the call that came first:
# code="undefined" in one process, no label at all in another. null is a third series with the text "null".
# Two replicas of one program thus export different series for the same thing, and a restart can rename one.
# A rule on code="" or on absence matches neither text.
# NaN is written as Nan, which is not how the text format spells it.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund prom-client@15.1.3 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('prom-client');
const { Counter, Gauge, Registry } = require('prom-client');
const series = async (...calls) => {
  const registry = new Registry(); const c = new Counter({ name: 'requests', help: 'r', labelNames: ['code'], registers: [registry] });
  calls.forEach(labels => c.inc(labels));
  return (await registry.metrics()).split('\n').filter(l => l && !l.startsWith('#'));
};
(async () => {
  see('undefined first', await series({ code: undefined }, {}), ['requests{code="undefined"} 2']);
  see('missing first', await series({}, { code: undefined }), ['requests 2']);
  see('null', await series({ code: null }), ['requests{code="null"} 1']);
  const registry = new Registry(); new Gauge({ name: 'ratio', help: 'r', registers: [registry] }).set(NaN);
  see('NaN', (await registry.metrics()).trim().split('\n').pop(), 'ratio Nan');
  process.exit(good ? 0 : 1);
})();
JS
node probe.js
