#!/usr/bin/env bash
# CronTrigger.from_crontab was expected to read the weekday of a crontab line as cron does: 0 and 7 are Sunday.
# APScheduler 3.11.3 counts weekdays from Monday as 0, so "0 9 * * 0" fires on Mondays and "0 9 * * 1-5" from
# Tuesday to Saturday; 7 is refused.
# With names (sun, mon-fri) it agrees with cron.
# A check that should run on workdays skips Monday, and a monitor that reads the same line as cron does
# reports a missed run each Monday.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check APScheduler==3.11.3 tzdata 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("APScheduler", version("APScheduler"))
from datetime import datetime, timezone
from apscheduler.triggers.cron import CronTrigger
def days(line, n):
    trigger, last, now, out = CronTrigger.from_crontab(line, timezone.utc), None, datetime(2026, 1, 1, tzinfo=timezone.utc), []
    for _ in range(n):
        last = now = trigger.get_next_fire_time(last, now)
        out.append(f"{now:%a %d.%m.%Y}")
    return out
see("0 9 * * 0", days("0 9 * * 0", 2), ["Mon 05.01.2026", "Mon 12.01.2026"])
see("0 9 * * sun", days("0 9 * * sun", 2), ["Sun 04.01.2026", "Sun 11.01.2026"])
see("0 9 * * 1-5", days("0 9 * * 1-5", 6), ["Thu 01.01.2026", "Fri 02.01.2026", "Sat 03.01.2026", "Tue 06.01.2026", "Wed 07.01.2026", "Thu 08.01.2026"])
try:
    answer = days("0 9 * * 7", 1)
except ValueError as e:
    answer = "refused"
see("0 9 * * 7", answer, "refused")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
