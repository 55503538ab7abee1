#!/usr/bin/env bash
# logger.warn("refused", {order: 7}) was expected to reach Graylog with a field _order, and silly, the lowest level of
# winston, with the lowest GELF level.
# winston-graylog2 2.1.2 under winston 3 sends no field at all: the record's own fields are dropped, errors included,
# unless they are moved into a key named metadata first.
# silly is sent as 6 (info) while debug is 7, so the least of all records outranks debug and passes a filter for info.
# Searches in Graylog by order, user or request find nothing, although each call names them.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund winston@3.19.0 winston-graylog2@2.1.2 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('winston');
release('winston-graylog2');
const zlib = require('zlib'); const winston = require('winston'); const Graylog = require('winston-graylog2');
const s = require('dgram').createSocket('udp4'); const got = [];
let plain, meta;
const calls = [() => plain.warn('refused', { order: 7, err: new Error('boom') }), () => plain.silly('s'), () => plain.debug('d'), () => meta.warn('refused', { order: 7 })];
const next = () => { if (calls.length) return calls.shift()();
  got.forEach(m => console.log(JSON.stringify(m)));
  see('fields of the record', Object.keys(got[0]).filter(k => k.startsWith('_')), []);
  see('level of silly, debug', [got[1].level, got[2].level], [6, 7]);
  see('fields with format.metadata()', Object.keys(got[3]).filter(k => k.startsWith('_')), ['_order']);
  process.exit(good ? 0 : 1); };
s.on('message', m => { got.push(JSON.parse(m[0] === 0x1f ? zlib.gunzipSync(m) : m[0] === 0x78 ? zlib.inflateSync(m) : m)); next(); });
s.bind(0, '127.0.0.1', () => {
  const make = format => winston.createLogger({ level: 'silly', format, transports: [new Graylog({ graylog: { servers: [{ host: '127.0.0.1', port: s.address().port }] } })] });
  plain = make(winston.format.json()); meta = make(winston.format.metadata()); next(); });
setTimeout(() => { console.log('nothing arrived'); process.exit(3); }, 20000).unref();
JS
node probe.js
