#!/usr/bin/env bash
# A shift of DURATION:PT8H that starts at 22:00 on the evening before the clock goes back was expected to last 8 hours
# and end at 05:00, since RFC 5545 makes hours of a duration exact.
# icalendar 7.3.2 (Python) and ical.js 2.2.1 add the hours on the wall clock: the shift ends at 06:00 and lasts 9 hours,
# and in spring it lasts 7. recurring-ical-events 3.8.2 finds it on duty at 05:30; node-ical 0.27.2 ends it at 05:00.
# Subtracting its start from its end still gives 8 hours, as Python compares wall clocks within one zone.
# An on-call calendar has two people on duty for an hour in autumn, and nobody for an hour in spring.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check icalendar==7.3.2 recurring-ical-events==3.8.2 tzdata 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ical.js@2.2.1 node-ical@0.27.2 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("icalendar", version("icalendar"))
print("recurring-ical-events", version("recurring-ical-events"))
from datetime import datetime, timezone
from zoneinfo import ZoneInfo
import icalendar, recurring_ical_events
berlin = ZoneInfo("Europe/Berlin")
def shift(day):
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:probe\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Berlin:{day}T220000\r\nDURATION:PT8H\r\nSUMMARY:night\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    return icalendar.Calendar.from_ical(text)
for day, real in (("20261024", 9.0), ("20260328", 7.0), ("20260601", 8.0)):
    event = shift(day).events[0]
    see(f"{day}: end", event.end.strftime("%H:%M"), "06:00")
    see(f"{day}: real hours", (event.end.astimezone(timezone.utc) - event.start.astimezone(timezone.utc)).total_seconds() / 3600, real)
    see(f"{day}: hours by subtraction", (event.end - event.start).total_seconds() / 3600, 8.0)
see("on duty at 05:30 after the change", [str(e["SUMMARY"]) for e in recurring_ical_events.of(shift("20261024")).at(datetime(2026, 10, 25, 5, 30, tzinfo=berlin))], ["night"])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('ical.js');
release('node-ical');
const ics = 'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:probe\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Berlin:20261024T220000\r\nDURATION:PT8H\r\nSUMMARY:night\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n';
const event = require('node-ical').sync.parseICS(ics)['1'];
see('node-ical: end', event.end.toISOString(), '2026-10-25T04:00:00.000Z');
import('ical.js').then(m => {
  const ical = m.default || m;
  const one = new ical.Event(new ical.Component(ical.parse(ics)).getFirstSubcomponent('vevent'));
  see('ical.js: end on the wall clock', one.endDate.toString(), '2026-10-25T06:00:00');
  process.exit(good ? 0 : 1);
});
JS
node probe.js
