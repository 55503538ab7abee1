#!/usr/bin/env bash
# A custom level of pino was expected to get the severity number of the standard level below it: an `alert` of
# 65 at least FATAL (21), a `notice` of 35 at least INFO (9).
# pino-opentelemetry-transport 4.0.2 knows six numbers only and sends every other level as severityNumber 0,
# "unspecified", with the level's name as its text; the option severityNumberMap has to name each of them.
# A receiver that keeps severityNumber >= 17 keeps `fatal` and drops the louder `alert` of the same logger.
# The trace flags of a line leave as the text "01", where OTLP has a number.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund pino@10.4.0 pino-opentelemetry-transport@4.0.2 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
for (const name of ['pino', 'pino-opentelemetry-transport']) console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
const pino = require('pino');
const records = [];
const server = require('http').createServer((request, response) => {
  let body = '';
  request.on('data', part => { body += part; });
  request.on('end', () => {
    for (const r of JSON.parse(body).resourceLogs) for (const s of r.scopeLogs) records.push(...s.logRecords);
    response.setHeader('content-type', 'application/json'); response.end('{}');
    if (records.length === 5) finish();
  });
}).listen(0, '127.0.0.1', () => {
  const transport = pino.transport({ target: 'pino-opentelemetry-transport', options: { loggerName: 'shop', resourceAttributes: { 'service.name': 'shop' }, logRecordProcessorOptions: { recordProcessorType: 'simple', exporterOptions: { protocol: 'http', httpExporterOptions: { url: `http://127.0.0.1:${server.address().port}/v1/logs` } } } } });
  const log = pino({ customLevels: { notice: 35, alert: 65 } }, transport);
  log.notice('a'); log.error('b'); log.fatal('c'); log.alert('d');
  log.error({ trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331', trace_flags: '01' }, 'e');
});
const finish = () => {
  const levels = Object.fromEntries(records.map(r => [r.body.stringValue, [r.severityText, r.severityNumber]]));
  see('notice, 35', levels.a, ['notice', 0]);
  see('error, 50', levels.b, ['error', 17]);
  see('fatal, 60', levels.c, ['fatal', 21]);
  see('alert, 65', levels.d, ['alert', 0]);
  see('flags', records.find(r => r.body.stringValue === 'e').flags, '01');
  process.exit(good ? 0 : 1);
};
setTimeout(() => { console.log('not all arrived', records.length); process.exit(3); }, 20000).unref();
JS
node probe.js
