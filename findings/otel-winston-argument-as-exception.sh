#!/usr/bin/env bash
# A text that fills a placeholder of winston's log call was expected to stand in the body of the OTLP record,
# and an ordinary field `code` to be an attribute `code`.
# @opentelemetry/winston-transport 0.34.0 takes the first argument for an exception: "nightly" of
# error("job %s failed", "nightly") becomes exception.message, on a call of the level info too, and a field
# `code: 4` becomes exception.type "4". No error was thrown anywhere. Without winston's splat format, the body
# keeps "%s" and only exception.message has the word.
# A reader that shows an exception before the body shows "nightly", one group for each job, and counts an
# ordinary line of information as an exception.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund winston@3.19.0 @opentelemetry/winston-transport@0.34.0 @opentelemetry/sdk-logs@0.223.1 @opentelemetry/api-logs@0.223.1 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
for (const name of ['winston', '@opentelemetry/winston-transport', '@opentelemetry/sdk-logs']) console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
const winston = require('winston');
const { OpenTelemetryTransportV3 } = require('@opentelemetry/winston-transport');
const { LoggerProvider, SimpleLogRecordProcessor, InMemoryLogRecordExporter } = require('@opentelemetry/sdk-logs');
const exporter = new InMemoryLogRecordExporter();
require('@opentelemetry/api-logs').logs.setGlobalLoggerProvider(new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] }));
const plain = winston.createLogger({ transports: [new OpenTelemetryTransportV3()] });
const splat = winston.createLogger({ format: winston.format.splat(), transports: [new OpenTelemetryTransportV3()] });
const settle = async () => { for (let i = 0; i < 100 && !exporter.getFinishedLogRecords().length; i++) await new Promise(r => setTimeout(r, 10)); };
const check = async (what, call, body, attributes) => {
  exporter.reset(); call(); await settle();
  const record = exporter.getFinishedLogRecords()[0];
  see(what, [record.body, record.attributes], [body, attributes]);
};
(async () => {
  await check('a placeholder filled', () => splat.error('job %s failed', 'nightly'), 'job nightly failed', { 'exception.message': 'nightly' });
  await check('of the level info', () => splat.info('job %s began', 'nightly'), 'job nightly began', { 'exception.message': 'nightly' });
  await check('without splat()', () => plain.error('job %s failed', 'nightly'), 'job %s failed', { 'exception.message': 'nightly' });
  await check('a field code', () => plain.error('job failed', { code: 4 }), 'job failed', { code: 4, 'exception.type': '4' });
  process.exit(good ? 0 : 1);
})();
JS
node probe.js
