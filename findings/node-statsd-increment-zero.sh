#!/usr/bin/env bash
# increment("errors", 0) was expected to add nothing.
# node-statsd 0.1.1 takes 0 for a missing value and adds 1, and decrement("open", 0) takes 1 away.
# hot-shots 17.1.1, which began as a fork of it, sends 0.
# Code that adds the number of failures of each batch counts a failure for every batch that had none:
# the error rate of a healthy service equals its batch rate, and an alert on it never clears.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund node-statsd@0.1.1 hot-shots@17.1.1 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('node-statsd');
release('hot-shots');
const s = require('dgram').createSocket('udp4'); const got = [];
const calls = [c => c.old.increment('errors', 0), c => c.old.decrement('open', 0), c => c.old.increment('errors', 3), c => c.hot.increment('errors', 0)];
let clients;
const next = () => { if (calls.length) return calls.shift()(clients);
  see('sent', got, ['errors:1|c', 'open:-1|c', 'errors:3|c', 'errors:0|c']);
  process.exit(good ? 0 : 1); };
s.on('message', m => { got.push(m.toString().trim()); next(); });
s.bind(0, '127.0.0.1', () => { const to = { host: '127.0.0.1', port: s.address().port }; clients = { old: new (require('node-statsd'))(to), hot: new (require('hot-shots'))(to) }; next(); });
setTimeout(() => { console.log('nothing arrived'); process.exit(3); }, 20000).unref();
JS
node probe.js
