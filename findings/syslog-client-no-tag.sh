#!/usr/bin/env bash
# A record of the npm syslog-client in its default RFC 3164 form was expected to hold a tag such as node[123]:.
# syslog-client 1.1.1 writes priority, time, host and then at once the message, with no tag, even if an appName is given.
# The first word of the message stands where the tag belongs, so a reader takes "payment" as the program of
# "payment: refused" and leaves "refused" as the text.
# A line break stays inside the record, and one more line end is added, on UDP too.
# Grouping by program then makes a group per first word.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund syslog-client@1.1.1 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('syslog-client');
const lib = require('syslog-client');
const s = require('dgram').createSocket('udp4'); const got = [];
s.on('message', m => got.push(m.toString()));
s.bind(0, '127.0.0.1', () => {
  const c = lib.createClient('127.0.0.1', { port: s.address().port, syslogHostname: 'web1', appName: 'shop' });
  c.log('payment: refused'); c.log('two\nlines', { severity: lib.Severity.Error });
  setTimeout(() => {
    got.forEach(g => console.log(JSON.stringify(g)));
    see('after priority and time', got.map(g => g.replace(/^(<\d+>)\w{3} [ \d]\d \d\d:\d\d:\d\d /, '$1 ')).sort(), ['<131> web1 two\nlines\n', '<134> web1 payment: refused\n']);
    process.exit(good ? 0 : 1);
  }, 1500);
});
JS
node probe.js
