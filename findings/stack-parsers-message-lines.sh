#!/usr/bin/env bash
# Frames were expected to be read from the frames of a stack only, not from the text of the error above them.
# error-stack-parser 2.1.4, stacktrace-parser 0.1.11 and stack-trace 1.0.0 also take lines of the message:
# an error that quotes another process's stack, as a worker pool does, starts with the frames of that process.
# stacktrace-parser makes a frame of a message that merely ends in an address: "cannot reach http://db.example:5432:1"
# was thrown in file "Error: cannot reach http://db.example", line 5432.
# The top frame names the culprit and the group, so the blame goes to another program, or to a new one for each port.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund error-stack-parser@2.1.4 stacktrace-parser@0.1.11 stack-trace@1.0.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('error-stack-parser');
release('stacktrace-parser');
release('stack-trace');
const ESP = require('error-stack-parser'); const STP = require('stacktrace-parser');
(async () => {
  const ST = await import('stack-trace');
  function own(text) { return new Error(text); }
  const quoted = own('worker failed: Error: boom\n    at run (/srv/worker.js:10:5)');
  see('error-stack-parser', ESP.parse(quoted).slice(0, 2).map(f => f.functionName), ['run', 'own']);
  see('stacktrace-parser', STP.parse(quoted.stack).slice(0, 2).map(f => f.methodName), ['run', 'own']);
  see('stack-trace', ST.parse(quoted).slice(0, 2).map(f => f.getFunctionName()), ['run', 'own']);
  const address = own('cannot reach http://db.example:5432:1');
  see('stacktrace-parser, address', STP.parse(address.stack).slice(0, 2).map(f => [f.methodName, f.lineNumber === 5432, f.file.split('/').pop()]), [['<unknown>', true, 'db.example'], ['own', false, 'probe.js']]);
  see('error-stack-parser, address', ESP.parse(address)[0].functionName, 'own');
  process.exit(good ? 0 : 1);
})();
JS
node probe.js
