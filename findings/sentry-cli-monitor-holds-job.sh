#!/usr/bin/env bash
# A cron job under `sentry-cli monitors run` was expected to begin at once, whatever the server answers,
# and a job that a signal killed to end with 128 + the signal, as under a shell, env or timeout.
# sentry-cli 3.8.0 sends the first check-in before it starts the command and tries it again where the server
# answers 503: the job begins 10 s and more late, and its end is reported as late again. A server that does
# not answer the connection at all delays nothing. A killed job ends with 1, and so does a command that
# does not exist, where 137 and 127 were expected: the caller cannot tell "out of memory" from "failed".
set -euo pipefail
T=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @sentry/cli@3.8.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cli=node_modules/.bin/sentry-cli
$cli --version
cat > server.js <<'JS'
const open = (status) => new Promise(done => { const s = require('http').createServer((q, r) => { q.resume(); q.on('end', () => { r.statusCode = status; r.end('{}'); }); }).listen(0, '127.0.0.1', () => done(s.address().port)); });
(async () => { require('fs').writeFileSync('ports.new', (await open(200)) + ' ' + (await open(503)) + '\n'); require('fs').renameSync('ports.new', 'ports'); })();
JS
node server.js & 
for _ in $(seq 100); do [ -s ports ] && break; sleep .1; done
read -r fine busy < ports
good=0
see() { if [ "$2" = "$3" ]; then echo "$1: $2"; else echo "$1: $2   CHANGED, was $3"; good=1; fi; }
run() { local port=$1 code=0; shift; SENTRY_DSN=http://key@127.0.0.1:$port/1 $cli monitors run nightly -- "$@" >>out.log 2>&1 || code=$?; echo "$code"; }
delay() { local from; from=$(date +%s); run "$1" sh -c 'date +%s > began' >/dev/null; echo $(($(cat began) - from)); }
see "exit of a job that ends with 3" "$(run "$fine" sh -c 'exit 3')" 3
see "exit of a job that is killed by signal 9" "$(run "$fine" sh -c 'kill -9 $$')" 1
see "exit of a command that does not exist" "$(run "$fine" ./no-such-command)" 1
quick=$(delay "$fine") late=$(delay "$busy") refused=$(delay 1)
echo "seconds until the job begins: server fine $quick, nobody listens $refused, server answers 503 $late"
see "begins within 3 s where the server is fine" "$((quick < 3))" 1
see "begins within 3 s where nobody listens" "$((refused < 3))" 1
see "begins more than 8 s late where the server answers 503" "$((late > 8))" 1
exit $good
