#!/usr/bin/env bash
# A value with a line break was expected to be written as \n inside quotes, and what the package writes to be read
# back by it unchanged.
# logfmt 1.4.0 (npm) writes the line break as it is, so one record is two lines; the second starts inside the value,
# and a word of the message becomes a field that swallows the rest of the line.
# Read from a line that another writer made, \n becomes the letter n, and every backslash of an unquoted path is lost.
# A stack trace logged with it is scattered over many records, none of which has a level.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund logfmt@1.4.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('logfmt');
const logfmt = require('logfmt');
const line = logfmt.stringify({ level: 'error', msg: 'Error: refused\n at=connect', n: 1 });
console.log(line);
see('lines', line.split('\n').length, 2);
see('second line read', logfmt.parse(line.split('\n')[1]), { at: 'connect n=1' });
see('other writer', logfmt.parse('msg="first\\nsecond" path=C:\\temp\\new'), { msg: 'firstnsecond', path: 'C:tempnew' });
see('a map as value', logfmt.stringify({ ctx: { id: 7 } }), 'ctx="[object Object]"');
process.exit(good ? 0 : 1);
JS
node probe.js
