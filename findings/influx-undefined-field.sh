#!/usr/bin/env bash
# A point with a field that is undefined, null or NaN was expected to be refused, or to be written without that field.
# influx 5.12.0 for Node, used without a schema, writes the JavaScript word: "m load=NaN", "m load=undefined",
# "m load=Infinity", none of which is a value in line protocol. A line break in a tag is written as it is,
# so that one point becomes two lines; the newer @influxdata/influxdb-client refuses NaN with a clear error.
# One missing reading makes an invalid line in a batch of good ones: the server refuses it, and the error names
# the line, not the sensor.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund influx@5.12.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('influx');
const http = require('http'); const Influx = require('influx'); const got = [];
const server = http.createServer((q, r) => { let d = ''; q.on('data', x => { d += x; }); q.on('end', () => { got.push(d); r.statusCode = 204; r.end(); }); });
server.listen(0, '127.0.0.1', async () => {
  const db = new Influx.InfluxDB({ host: '127.0.0.1', port: server.address().port, database: 'd' });
  for (const value of [NaN, undefined, null, Infinity]) await db.writePoints([{ measurement: 'm', fields: { load: value } }]);
  await db.writePoints([{ measurement: 'm', tags: { host: 'web1\nweb2' }, fields: { load: 1 } }]);
  see('lines', got, ['m load=NaN', 'm load=undefined', 'm load=null', 'm load=Infinity', 'm,host=web1\nweb2 load=1']);
  process.exit(good ? 0 : 1);
});
JS
node probe.js
