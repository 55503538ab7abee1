#!/usr/bin/env bash
# An Error and a list of maps were expected to reach Graylog with their text.
# gelfling 0.3.1 sends an Error as the short message "{}", and gelf-pro 1.4.0 a list of maps as "[object Object]".
# An Error in a field of gelf-pro is its first line without stack, and a map given as the message stays a map in
# short_message, where GELF has a text. gelfling writes a field named id as __id and a map as a map.
# The one record that matters, the error, is the one without content; all such errors are one group.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund gelf-pro@1.4.0 gelfling@0.3.1 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('gelf-pro');
release('gelfling');
const zlib = require('zlib'); const s = require('dgram').createSocket('udp4'); const got = [];
const decode = m => { if (m[0] === 0x1f) return zlib.gunzipSync(m); for (let i = m.indexOf(0x78); i >= 0; i = m.indexOf(0x78, i + 1)) { try { return zlib.inflateSync(m.subarray(i)); } catch { /* the mark of a chunk, not of the data */ } } return m; };
let pro, ling;
const calls = [() => ling.send(new Error('database refused')), () => ling.send({ short_message: 'm', id: 7, ctx: { a: 1 } }), () => pro.info('m', { items: [{ id: 7 }], err: new Error('database refused') }), () => pro.info({ a: 1 })];
const next = () => { if (calls.length) return calls.shift()();
  got.forEach(m => console.log(JSON.stringify(m)));
  see('gelfling, Error', got[0].short_message, '{}');
  see('gelfling, fields', Object.keys(got[1]).filter(k => k.startsWith('_')).map(k => [k, got[1][k]]), [['__id', 7], ['_ctx', { a: 1 }]]);
  see('gelf-pro, list of maps', got[2]._items, '[object Object]');
  see('gelf-pro, Error in a field', got[2]._err, 'Error: database refused');
  see('gelf-pro, map as message', got[3].short_message, { a: 1 });
  process.exit(good ? 0 : 1); };
s.on('message', m => { got.push(JSON.parse(decode(m))); next(); });
s.bind(0, '127.0.0.1', () => { const port = s.address().port;
  ling = require('gelfling')('127.0.0.1', port); pro = require('gelf-pro'); pro.setConfig({ adapterName: 'udp', adapterOptions: { host: '127.0.0.1', port } }); next(); });
setTimeout(() => { console.log('nothing arrived'); process.exit(3); }, 20000).unref();
JS
node probe.js
