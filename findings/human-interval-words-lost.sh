#!/usr/bin/env bash
# "an hour" was expected to be an hour, and "three and a half hours" three and a half, or both to be refused,
# as the library takes numbers in words ("five minutes").
# human-interval 2.0.1, by which the job queue Agenda reads how often a job runs, makes 0 of the first
# and three hours of the second. "5 min" and "1h" are NaN, not an error.
# A wait or a timeout of "an hour" is none at all.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund human-interval@2.0.1 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('human-interval');
const interval = require('human-interval');
const shown = (text) => String(interval(text));
see('one hour', shown('one hour'), '3600000');
see('an hour', shown('an hour'), '0');
see('three and a half hours', shown('three and a half hours'), '10800000');
see('5 min', shown('5 min'), 'NaN');
see('1h', shown('1h'), 'NaN');
process.exit(good ? 0 : 1);
JS
node probe.js
