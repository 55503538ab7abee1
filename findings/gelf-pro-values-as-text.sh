#!/usr/bin/env bash
# Fields of a GELF message were expected to keep their kinds: null to be left out, a number a number, and an error to
# bring its stack or its cause.
# gelf-pro 1.4.0 sends null and undefined as the empty text, true as "true", NaN as "NaN", a list as "1,2", a date in the
# words of the sender's own language and zone, and of an error only type and text.
# Numbers stay numbers, so one field is text in one message and a number in the next, which a store that learned its
# kind from the first refuses.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund gelf-pro@1.4.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('gelf-pro');
const gelf = require('gelf-pro');
gelf.setConfig({ adapterName: 'udp' });
const sent = JSON.parse(gelf.getStringFromObject({ short_message: 'm', timestamp: 1, count: 5, none: null, missing: undefined, flag: true, nan: NaN, list: [1, 2], error: new Error('boom', { cause: new Error('inner') }) }));
see('a number', sent._count, 5);
see('null', sent._none, '');
see('undefined', sent._missing, '');
see('true', sent._flag, 'true');
see('NaN', sent._nan, 'NaN');
see('a list', sent._list, '1,2');
see('an error with a cause', sent._error, 'Error: boom');
process.exit(good ? 0 : 1);
JS
node probe.js
