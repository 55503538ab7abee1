#!/usr/bin/env bash
# The same crontab line was expected to be described alike by cron-descriptor (Python) and cronstrue (JavaScript),
# which are ports of one library, and to fire on the same days in each scheduler.
# For 0 0 13 * 5 cron-descriptor 2.2.1 says "or on Friday" and cronstrue 3.39.0 "and on Friday"; cron fires on either.
# For 0 0 */2 * 1 cron (and cronsim 2.8) wants both, since the day field begins with a star:
# cron-descriptor still says "or on Monday", and cron-parser 5.10.6 and croner 11.0.0 fire on every second day.
# A page that explains a schedule is wrong in one of the two cases whichever port it uses,
# and a job moved from cron to a Node scheduler runs more than fifteen times a month instead of about twice.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check cron-descriptor==2.2.1 cronsim==2.8 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund cron-parser@5.10.6 croner@11.0.0 cronstrue@3.39.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("cron-descriptor", version("cron-descriptor"))
print("cronsim", version("cronsim"))
from datetime import datetime, timezone
from cron_descriptor import get_description
from cronsim import CronSim
see("cron-descriptor, 13 and 5", get_description("0 0 13 * 5"), "At 12:00 AM, on day 13 of the month, or on Friday")
see("cron-descriptor, */2 and 1", get_description("0 0 */2 * 1"), "At 12:00 AM, every 2 days, or on Monday")
sim = CronSim("0 0 */2 * 1", datetime(2026, 1, 1, tzinfo=timezone.utc))
see("cronsim, */2 and 1", [f"{next(sim):%a %d.%m.}" for _ in range(3)], ["Mon 05.01.", "Mon 19.01.", "Mon 09.02."])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('cron-parser');
release('croner');
release('cronstrue');
const { CronExpressionParser } = require('cron-parser'); const { Cron } = require('croner'); const cronstrue = require('cronstrue');
see('cronstrue, 13 and 5', cronstrue.toString('0 0 13 * 5'), 'At 12:00 AM, on day 13 of the month, and on Friday');
see('cronstrue, */2 and 1', cronstrue.toString('0 0 */2 * 1'), 'At 12:00 AM, every 2 days in a month, and on Monday');
const day = d => d.toISOString().slice(0, 10);
const plan = CronExpressionParser.parse('0 0 */2 * 1', { currentDate: new Date('2026-01-01T00:00:00Z'), tz: 'UTC' });
see('cron-parser, */2 and 1', [1, 2, 3].map(() => plan.next().toISOString().slice(0, 10)), ['2026-01-03', '2026-01-05', '2026-01-07']);
see('croner, */2 and 1', new Cron('0 0 */2 * 1', { timezone: 'UTC' }).nextRuns(3, new Date('2026-01-01T00:00:00Z')).map(day), ['2026-01-03', '2026-01-05', '2026-01-07']);
process.exit(good ? 0 : 1);
JS
node probe.js
