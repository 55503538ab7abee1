#!/usr/bin/env bash
# The cause of an Error (new Error("...", {cause})) was expected to be sent with it, as the reporters for Python do.
# recordException of @opentelemetry/sdk-trace-base 2.12.1 puts neither its type, text, nor frames into the span event,
# while the Python SDK writes the whole chain, and @airbrake/node 2.1.9 leaves it out of its list of errors.
# The inner errors of an AggregateError are lost in both, and in @bugsnag/node 9.0.0, which does send a cause.
# "Order not saved" or "All promises were rejected" is what arrives: all failures look alike,
# and the refused connection that explains them is in no field.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @opentelemetry/sdk-trace-base@2.12.1 @opentelemetry/api@1.9.1 @airbrake/node@2.1.9 @bugsnag/node@9.0.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('@opentelemetry/sdk-trace-base');
release('@opentelemetry/api');
release('@airbrake/node');
release('@bugsnag/node');
const http = require('http'); const S = require('@opentelemetry/sdk-trace-base'); const { Notifier } = require('@airbrake/node'); const bugsnag = require('@bugsnag/node');
const chained = () => new Error('order not saved', { cause: new TypeError('database refused') });
const many = () => new AggregateError([new Error('database refused')], 'all failed');
const exporter = new S.InMemorySpanExporter();
const span = new S.BasicTracerProvider({ spanProcessors: [new S.SimpleSpanProcessor(exporter)] }).getTracer('probe').startSpan('save');
span.recordException(chained()); span.recordException(many()); span.end();
const told = text => text.includes('database refused');
see('OpenTelemetry: cause, inner error', exporter.getFinishedSpans()[0].events.map(e => told(JSON.stringify(e.attributes))), [false, false]);
const got = [];
const server = http.createServer((q, r) => { let d = ''; q.on('data', x => { d += x; }); q.on('end', () => { got.push(d); r.setHeader('content-type', 'application/json'); r.end('{"id":"1"}'); }); });
const next = async () => { while (!got.length) await new Promise(r => setTimeout(r, 50)); return JSON.parse(got.shift()); };
server.listen(0, '127.0.0.1', async () => {
  const url = 'http://127.0.0.1:' + server.address().port;
  const airbrake = new Notifier({ projectId: 1, projectKey: 'k', host: url, remoteConfig: false, performanceStats: false, queryStats: false, queueStats: false });
  await airbrake.notify(chained()); const a = await next();
  see('airbrake: errors, cause told', [a.errors.map(e => e.message), told(JSON.stringify(a.errors.map(e => e.message)))], [['order not saved'], false]);
  await airbrake.notify(many());
  see('airbrake: inner error', (await next()).errors.map(e => e.message), ['all failed']);
  const client = (bugsnag.default || bugsnag); client.start({ apiKey: '0'.repeat(32), endpoints: { notify: url, sessions: url }, autoTrackSessions: false, autoDetectErrors: false, logger: null });
  client.notify(chained());
  see('bugsnag: cause', (await next()).events[0].exceptions.map(e => e.message), ['order not saved', 'database refused']);
  client.notify(many());
  see('bugsnag: inner error', (await next()).events[0].exceptions.map(e => e.message), ['all failed']);
  process.exit(good ? 0 : 1);
});
setTimeout(() => { console.log('nothing arrived'); process.exit(3); }, 30000).unref();
JS
node probe.js
