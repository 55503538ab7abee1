#!/usr/bin/env bash
# rollbar.error({message: "refused", code: 5}) was expected to send the text "refused".
# rollbar 3.1.0 for Node sends "Item sent with null or missing arguments." as the text, and the object as custom data.
# A second text is moved into extra arguments: error("payment", "refused") is "payment" only.
# Objects with a message are what HTTP clients and database drivers of the older kind reject with.
# All of them, whatever went wrong, become one group under a sentence that blames the call.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund rollbar@3.1.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('rollbar');
const http = require('http'); const Rollbar = require('rollbar'); const got = [];
const server = http.createServer((q, r) => { let d = ''; q.on('data', x => { d += x; }); q.on('end', () => { got.push(JSON.parse(d).data); r.setHeader('content-type', 'application/json'); r.end('{"err":0,"result":{"uuid":"u"}}'); }); });
const next = async () => { while (!got.length) await new Promise(r => setTimeout(r, 50)); const d = got.shift(); return [d.body.message.body, d.custom]; };
server.listen(0, '127.0.0.1', async () => {
  const rollbar = new Rollbar({ accessToken: '0'.repeat(32), endpoint: `http://127.0.0.1:${server.address().port}/api/1/item/`, captureUncaught: false });
  rollbar.error({ message: 'refused', code: 5 });
  see('object with a message', await next(), ['Item sent with null or missing arguments.', { message: 'refused', code: 5 }]);
  rollbar.error('payment', 'refused');
  see('two texts', await next(), ['payment', { extraArgs: { 0: 'refused' } }]);
  process.exit(good ? 0 : 1);
});
setTimeout(() => { console.log('nothing arrived'); process.exit(3); }, 30000).unref();
JS
node probe.js
