#!/usr/bin/env bash
# The frame "at async file:///app/job.mjs:2:12" (an await at the top of a module, or in a function without a name)
# was expected to be read as an asynchronous frame of that file.
# error-stack-parser 2.1.4 and stack-trace 1.0.0 give the file name "async file:///app/job.mjs",
# and stacktrace-parser 0.1.11 a function named "async".
# The file name with the word before it is found by no source map and opened by no editor,
# and all such frames of a program look like one function to a grouping by name.
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
const fs = require('fs'); const ESP = require('error-stack-parser'); const STP = require('stacktrace-parser');
fs.writeFileSync('job.mjs', "async function work() { await null; throw new Error('boom'); }\nlet e; try { await work(); } catch (x) { e = x; }\nexport default e;\n");
(async () => {
  const ST = await import('stack-trace'); const err = (await import(process.cwd() + '/job.mjs')).default;
  console.log(err.stack.replaceAll(process.cwd(), ''));
  const start = name => String(name).split('file:')[0];
  see('error-stack-parser', ESP.parse(err).map(f => [f.functionName ?? null, start(f.fileName)]), [['work', ''], [null, 'async ']]);
  see('stack-trace', ST.parse(err).map(f => [f.getFunctionName(), start(f.getFileName())]), [['work', ''], [null, 'async ']]);
  see('stacktrace-parser', STP.parse(err.stack).map(f => [f.methodName, start(f.file)]), [['work', ''], ['async', '']]);
  process.exit(good ? 0 : 1);
})();
JS
node probe.js
