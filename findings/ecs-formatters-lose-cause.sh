#!/usr/bin/env bash
# An exception with a cause was expected to keep that cause in error.stack_trace, as the language prints it.
# Two of Elastic's ECS formatters drop it: ecs-logging 2.3.0 for Python and @elastic/ecs-pino-format 1.5.0 for Node
# write the last exception alone, and no other field names the cause. @elastic/ecs-winston-format 1.5.3 keeps it,
# and so does pino without this format.
# The Python stack trace has neither its heading nor its last line (type and text), so no traceback reader takes it.
# "Could not save the order" remains; that the database refused the connection does not.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check ecs-logging==2.3.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund pino@10.4.0 @elastic/ecs-pino-format@1.5.0 winston@3.19.0 @elastic/ecs-winston-format@1.5.3 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("ecs-logging", version("ecs-logging"))
import json, logging, io
import ecs_logging
out = io.StringIO()
handler = logging.StreamHandler(out)
handler.setFormatter(ecs_logging.StdlibFormatter())
logger = logging.Logger("shop")
logger.addHandler(handler)
try:
    try:
        raise ConnectionError("database refused")
    except ConnectionError as e:
        raise ValueError("order not saved") from e
except ValueError:
    logger.exception("failed")
record = json.loads(out.getvalue())
print(json.dumps(record["error"]))
see("Python: cause in the record", "database refused" in out.getvalue(), False)
see("Python: first and last words of the stack trace", (record["error"]["stack_trace"].split()[0], "ValueError: order not saved" in record["error"]["stack_trace"]), ("File", False))
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('pino');
release('@elastic/ecs-pino-format');
release('winston');
release('@elastic/ecs-winston-format');
const err = new Error('order not saved', { cause: new Error('database refused') });
const lines = []; const sink = { write: s => lines.push(s) };
const pino = require('pino'); const { ecsFormat } = require('@elastic/ecs-pino-format');
pino(ecsFormat(), sink).error(err, 'failed');
console.log(lines[0].slice(0, 300));
see('ecs-pino-format: cause in the record', lines[0].includes('database refused'), false);
pino({}, sink).error(err, 'failed');
see('pino alone: cause in the record', lines[1].includes('database refused'), true);
const winston = require('winston'); const ecs = require('@elastic/ecs-winston-format');
const stream = new (require('stream').Writable)({ write(s, _, done) { lines.push(String(s)); done(); } });
winston.createLogger({ format: (ecs.ecsFormat || ecs)({ convertErr: true }), transports: [new winston.transports.Stream({ stream })] }).error('failed', { err });
setImmediate(() => { see('ecs-winston-format: cause in the record', [lines.length, lines[2].includes('order not saved'), lines[2].includes('database refused')], [3, true, true]); process.exit(good ? 0 : 1); });
JS
node probe.js
