#!/usr/bin/env bash
# The lengths in a DogStatsD event were expected to be counted in bytes of UTF-8, as the protocol says.
# hot-shots 17.1.1 counts characters: the title "Störung" is announced with 7 and takes 8 bytes, so a reader that cuts
# by length ends the title one byte early and finds no separator there.
# A line break in the message of a service check is not escaped, so the datagram falls into two, the second of which
# is no metric. (The same call in the Python client counts bytes and escapes.)
# Events in any language but English go missing, and of a check that failed only the first line arrives.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund hot-shots@17.1.1 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('hot-shots');
const H = require('hot-shots');
const s = require('dgram').createSocket('udp4'); const got = [];
s.on('message', m => { got.push(m.toString()); next(); });
const calls = [c => c.event('Störung', 'Größe'), c => c.event('Outage', 'size'), c => c.check('backup', 2, { message: 'disk full\non web1' })];
let client;
const next = () => { if (calls.length) return calls.shift()(client);
  got.forEach(m => console.log(JSON.stringify(m)));
  see('lengths announced', got[0].slice(0, 8), '_e{7,5}:');
  see('bytes of title and text', [Buffer.byteLength('Störung'), Buffer.byteLength('Größe')], [8, 7]);
  see('in English', got[1].slice(0, 8), '_e{6,4}:');
  see('lines of the check', got[2].trim().split('\n'), ['_sc|backup|2|m:disk full', 'on web1']);
  process.exit(good ? 0 : 1); };
s.bind(0, '127.0.0.1', () => { client = new H({ host: '127.0.0.1', port: s.address().port }); next(); });
setTimeout(() => { console.log('nothing arrived'); process.exit(3); }, 20000).unref();
JS
node probe.js
