#!/usr/bin/env bash
# A cron check-in was expected to pass by the before_send hook, which is documented for events.
# sentry-sdk 2.75.0 for Python calls before_send for check-ins too, with type "check_in", and sends none if it returns None;
# it also adds event fields such as server_name, platform and event_id to the check-in.
# @sentry/node 11.12.0 does not call beforeSend for them and sends a bare check-in.
# A filter such as "drop what has no exception" silences the Python check-ins, so that a monitor reports a missed run
# for a healthy job, while the same filter in Node does not.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @sentry/node@11.12.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('@sentry/node');
const S = require('@sentry/node'); const seen = [], items = [];
S.init({ dsn: 'http://key@127.0.0.1:9/1', beforeSend: e => { seen.push(e.type || 'event'); return null; },
  transport: () => ({ send: async env => { for (const [h, p] of env[1]) items.push([h.type, Object.keys(p).sort()]); return { statusCode: 200 }; }, flush: async () => true }) });
S.captureCheckIn({ monitorSlug: 'backup', status: 'ok' });
S.captureMessage('hello');
S.flush(1000).then(() => {
  see('Node: beforeSend called for', seen, ['event']);
  const sent = items.filter(i => i[0] === 'check_in' || i[0] === 'event');
  console.log(JSON.stringify(sent));
  see('Node: sent kinds', sent.map(i => i[0]), ['check_in']);
  see('Node: event fields in it', ['server_name', 'platform', 'event_id'].filter(k => sent[0][1].includes(k)), []);
  process.exit(good ? 0 : 1);
});
JS
node probe.js
python3 -m venv v
v/bin/pip install -q --disable-pip-version-check sentry-sdk==2.75.0 2>pip.log || { cat pip.log; exit 2; }
cat > probe.py <<'PY'
import json, sys
from importlib.metadata import version
import sentry_sdk
from sentry_sdk.crons import capture_checkin
from sentry_sdk.transport import Transport
print("sentry-sdk for Python", version("sentry-sdk"))
seen, items, drop = [], [], True
class Keep(Transport):
    def capture_envelope(self, envelope):
        items.extend((i.headers["type"], sorted(json.loads(i.get_bytes()))) for i in envelope.items)
sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Keep, before_send=lambda e, h: seen.append(e.get("type")) or (None if drop else e))
capture_checkin("backup", status="ok")
print("Python: before_send called for", seen, "sent", items)
dropped = seen == ["check_in"] and items == []
drop = False
capture_checkin("backup", status="ok")
print("Python: when let through", items)
sys.exit(0 if dropped and {"server_name", "platform", "event_id", "monitor_slug"} <= set(items[0][1]) else 1)
PY
v/bin/python probe.py
