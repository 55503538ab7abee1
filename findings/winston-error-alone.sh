#!/usr/bin/env bash
# logger.error(new Error("boom")) was expected to write at least the text of the error as the message.
# winston 3.19.0 with its JSON format writes {"level":"error"} and nothing else.
# The same call on a child logger writes message and stack, and so does the error as a second argument, where its text
# is added to the message: "order not saved" becomes "order not saved boom". Any field named message does the same.
# Under the key error it becomes {}.
# Grouping by message thus puts all errors of the first form into one group without a text,
# and splits the second form by each text of a driver.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund winston@3.19.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('winston');
const winston = require('winston'); const lines = [];
const stream = new (require('stream').Writable)({ write(t, _, done) { lines.push(String(t)); done(); } });
const logger = winston.createLogger({ format: winston.format.json(), transports: [new winston.transports.Stream({ stream })] });
logger.error(new Error('boom'));
logger.child({ app: 'shop' }).error(new Error('boom'));
logger.error('order not saved', new Error('boom'));
logger.error('order not saved', { error: new Error('boom') });
logger.info('order saved', { message: 'by mail' });
setImmediate(() => {
  const got = lines.map(l => { const o = JSON.parse(l); if (o.stack) o.stack = o.stack.split('\n')[0]; return o; });
  see('error alone', got[0], { level: 'error' });
  see('on a child', got[1].message, 'boom');
  see('as second argument', got[2].message, 'order not saved boom');
  see('under the key error', got[3].error, {});
  see('a field named message', got[4].message, 'order saved by mail');
  process.exit(good ? 0 : 1);
});
JS
node probe.js
