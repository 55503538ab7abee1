#!/usr/bin/env bash
# An error logged as a field, log.error({error}, 'not paid'), was expected to bring at least its message.
# bunyan 1.8.15 writes {} for it under any name but err: its own serializer is for that name only,
# and JSON knows no fields of an Error.
# Under err, the members of an AggregateError (of Promise.any) are lost; there is "All promises were rejected" alone.
# The line of the failure says that something failed and not what, and the types of TypeScript allow both names.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bunyan@1.8.15 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('bunyan');
const bunyan = require('bunyan');
const lines = [];
const log = bunyan.createLogger({ name: 'shop', serializers: bunyan.stdSerializers, streams: [{ stream: { write: (line) => lines.push(JSON.parse(line)) } }] });
log.error({ err: new Error('refused') }, 'not paid');
log.error({ error: new Error('refused') }, 'not paid');
log.error({ err: new AggregateError([new Error('refused')], 'all failed') }, 'not paid');
see('as err', lines[0].err.message, 'refused');
see('as error', lines[1].error, {});
see('a group says its members', JSON.stringify(lines[2]).includes('refused'), false);
process.exit(good ? 0 : 1);
JS
node probe.js
