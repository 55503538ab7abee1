#!/usr/bin/env bash
# A pino log piped through pino-syslog was expected to give one RFC 5424 record per line, and a level of the
# application's own (35, between info and warn) to get some severity.
# pino-syslog 4.0.0 ends no record: all of them follow each other on one endless line unless an option is set.
# A level it has no entry for gives the priority "<NaN>".
# A stream intake that cuts at line ends sees one record that grows until the connection closes,
# and one that reads the number in the angle brackets loses each record of such a level.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund pino@10.4.0 pino-syslog@4.0.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
const { spawnSync } = require('child_process');
release('pino'); release('pino-syslog');
require('fs').writeFileSync('app.js', "const l = require('pino')({ customLevels: { notice: 35 } }); l.info('a'); l.notice('b'); l.warn('c');");
const log = spawnSync('node', ['app.js']).stdout;
const out = spawnSync('node_modules/.bin/pino-syslog', { input: log }).stdout.toString();
console.log(out);
see('lines from pino', log.toString().split('\n').length - 1, 3);
see('line ends from pino-syslog', out.split('\n').length - 1, 0);
see('priorities', out.match(/<[^>]*>1 /g), ['<134>1 ', '<NaN>1 ', '<132>1 ']);
process.exit(good ? 0 : 1);
JS
node probe.js
