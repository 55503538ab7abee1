#!/usr/bin/env bash
# A field given as a text that is no number, or as the text "false", was expected to be refused, as NaN is.
# @influxdata/influxdb-client 1.35.0 reads the digits at the start: intField("12abc") is 12i and intField(1.7) is 1i,
# and booleanField("false") is T, since any text counts as true.
# A tag that ends in a backslash, such as C:\, runs into the field behind it and leaves a line without a field.
# Values from files and settings are texts: a switch that is off is stored as on, and a unit or a decimal vanishes.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @influxdata/influxdb-client@1.35.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('@influxdata/influxdb-client');
const { Point } = require('@influxdata/influxdb-client');
const line = f => { try { return f(new Point('m')).toLineProtocol().replace(/ \d+$/, ''); } catch (e) { return 'refused'; } };
see('floatField NaN', line(p => p.floatField('f', NaN)), 'refused');
see('intField "12abc"', line(p => p.intField('f', '12abc')), 'm f=12i');
see('intField 1.7', line(p => p.intField('f', 1.7)), 'm f=1i');
see('floatField "5 ms"', line(p => p.floatField('f', '5 ms')), 'm f=5');
see('booleanField "false"', line(p => p.booleanField('f', 'false')), 'm f=T');
see('tag C:\\', line(p => p.tag('disk', 'C:\\').intField('f', 1)), 'm,disk=C:\\ f=1i');
process.exit(good ? 0 : 1);
JS
node probe.js
