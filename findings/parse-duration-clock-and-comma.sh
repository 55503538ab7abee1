#!/usr/bin/env bash
# "1:30" was expected to be an hour and a half, or 90 seconds, or to be refused, and "1,5h" one and a half hours.
# parse-duration 2.1.9 makes 1.03 milliseconds of the first, since it adds the numbers as 1 and 0.03,
# and fifteen hours of the second, since it removes each comma.
# "1M" is a minute like "1m", and "1h-5m" is an hour and five minutes.
# A date, 2026-01-02, is a wait of two seconds.
# A wait or a silence that was mistyped in a settings file is over at once, or lasts ten times as long, with no error.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund parse-duration@2.1.9 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('parse-duration');
(async () => {
  const parse = (await import('parse-duration')).default;
  for (const [text, ms] of [['1h 30m', 5400000], ['1:30', 1.03], ['1,5h', 54000000], ['1.5h', 5400000], ['1M', 60000], ['1h-5m', 3900000], ['2026-01-02', 2026.001002]]) see(text, parse(text), ms);
  process.exit(good ? 0 : 1);
})();
JS
node probe.js
