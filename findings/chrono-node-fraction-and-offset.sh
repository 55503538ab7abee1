#!/usr/bin/env bash
# 2026-01-02T03:04:05.5Z was expected to be half a second after 03:04:05, and an offset of -03 to be taken into account.
# chrono-node 2.10.3 reads .5 as 5 milliseconds and drops a fraction of six or nine digits, or one after a comma,
# as Python and Go loggers write them. The offset -03 without minutes is dropped, so the moment is three hours off.
# A time without a year, read in late November, is put into the coming January, not the last.
# Log lines within one second change their order, and times of a server in South America are hours early.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund chrono-node@2.10.3 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('chrono-node');
const chrono = require('chrono-node');
const read = text => { const d = chrono.parseDate(text, { instant: new Date('2026-11-30T12:00:00Z'), timezone: 0 }); return d && d.toISOString(); };
for (const [text, moment] of [
  ['2026-01-02T03:04:05.007Z', '2026-01-02T03:04:05.007Z'], ['2026-01-02T03:04:05.5Z', '2026-01-02T03:04:05.005Z'],
  ['2026-01-02T03:04:05.123456789Z', '2026-01-02T03:04:05.000Z'], ['2026-01-02 03:04:05,123', '2026-01-02T03:04:05.000Z'],
  ['2026-01-02 03:04:05 -03', '2026-01-02T03:04:05.000Z'], ['2026-01-02 03:04:05 -0300', '2026-01-02T06:04:05.000Z'],
  ['Jan  2 03:04:05', '2027-01-02T03:04:05.000Z'],
]) see(text, read(text), moment);
process.exit(good ? 0 : 1);
JS
node probe.js
