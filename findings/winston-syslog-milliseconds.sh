#!/usr/bin/env bash
# The RFC 5424 time of a record written 7 ms after a full second was expected to end in .007.
# glossy 0.1.7, which winston-syslog 2.7.1 uses for its 5424 format, writes the milliseconds without leading zeros:
# 7 ms becomes .07, which every reader takes for 70 ms, and 70 ms becomes .70, that is 700 ms.
# glossy itself reads its own record back as another moment.
# One record in ten is moved by up to nine tenths of a second, so the order of cause and effect within
# a second is wrong after sorting by time. (winston-syslog also names every machine "localhost" by default.)
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund winston@3.19.0 winston-syslog@2.7.1 glossy@0.1.7 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('winston'); release('winston-syslog'); release('glossy');
const { Produce, Parse } = require('glossy');
const p = new Produce({ type: 'RFC5424' });
for (const [ms, text, back] of [[7, '05.07Z', 70], [70, '05.70Z', 700], [700, '05.700Z', 700]]) {
  const line = p.produce({ facility: 'local0', severity: 'error', host: 'web1', appName: 'shop', pid: '1', date: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, ms)), message: 'm' });
  console.log(line);
  see(ms + ' ms is written', line.split(' ')[1].slice(-text.length), text);
  Parse.parse(line, r => see(ms + ' ms is read back as', r.time.getUTCMilliseconds(), back));
}
// the transport itself: set the clock of this process only, so that the record falls on 7 ms
const winston = require('winston'); const { Syslog } = require('winston-syslog');
const RealDate = Date; const at = RealDate.UTC(2026, 0, 2, 3, 4, 5, 7);
global.Date = class extends RealDate { constructor(...a) { super(...(a.length ? a : [at])); } static now() { return at; } };
const s = require('dgram').createSocket('udp4');
s.on('message', m => { const f = m.toString().split(' '); console.log(m.toString()); see('winston-syslog time and host', [f[1], f[2]], ['2026-01-02T03:04:05.07Z', 'localhost']); process.exit(good ? 0 : 1); });
s.bind(0, '127.0.0.1', () => winston.createLogger({ levels: winston.config.syslog.levels, transports: [new Syslog({ host: '127.0.0.1', port: s.address().port, protocol: 'udp4', type: '5424' })] }).error('m'));
setTimeout(() => { console.log('nothing arrived'); process.exit(3); }, 20000).unref();
JS
node probe.js
