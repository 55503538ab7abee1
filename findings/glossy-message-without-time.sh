#!/usr/bin/env bash
# A syslog message without time and host (<13>disk is full), which RFC 3164 lets every relay expect and devices and
# /dev/log send, was expected to keep its text as the message.
# glossy 0.1.7, the parser of many Node syslog servers, returns an empty message, with a correct priority.
# For priority 0 (kernel, emergency) facility and severity are missing too, as 0 counts as none:
# the most urgent priority of all has none.
# A server that stores `message` keeps an empty line of what the device said.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund glossy@0.1.7 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('glossy');
const parser = require('glossy').Parse;
const part = (text) => { const p = parser.parse(text); return [p.prival, p.severity === undefined ? null : p.severity, p.message]; };
see('with time and host', part('<13>Oct 11 22:14:15 sw1 app: disk is full'), [13, 'notice', 'app: disk is full']);
see('without', part('<13>disk is full'), [13, 'notice', '']);
see('priority 0 with time and host', part('<0>Oct 11 22:14:15 sw1 kernel: panic'), [0, null, 'kernel: panic']);
process.exit(good ? 0 : 1);
JS
node probe.js
