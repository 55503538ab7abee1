#!/usr/bin/env bash
# A crontab line with both a day of month and a weekday (0 0 13 * 5) was expected to fire on each 13th and each Friday:
# the crontab manual says that either match is enough.
# crontab 1.0.5, cron-converter 2.0.2 and APScheduler 3.11.3 for Python fire only on a Friday the 13th;
# cronsim 2.8 fires as cron does. All four take the line without complaint (for APScheduler with fri for 5).
# A monitor that works out the next expected run with one of the three waits weeks for a job that runs every Friday,
# and takes its death for silence that was planned.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check crontab==1.0.5 APScheduler==3.11.3 cron-converter==2.0.2 cronsim==2.8 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("crontab", version("crontab"))
print("APScheduler", version("APScheduler"))
print("cron-converter", version("cron-converter"))
print("cronsim", version("cronsim"))
from datetime import datetime, timezone
from apscheduler.triggers.cron import CronTrigger
from cron_converter import Cron
from cronsim import CronSim
from crontab import CronTab
start = datetime(2026, 1, 1, tzinfo=timezone.utc)
line = "0 0 13 * 5"
sim = CronSim(line, start)
see("cronsim", [f"{next(sim):%a %d.%m.}" for _ in range(4)], ["Fri 02.01.", "Fri 09.01.", "Tue 13.01.", "Fri 16.01."])
plan = Cron(line).schedule(start)
see("cron-converter", [f"{plan.next():%a %d.%m.}" for _ in range(3)], ["Fri 13.02.", "Fri 13.03.", "Fri 13.11."])
one = CronTab(line).next(start, default_utc=True, return_datetime=True)
see("crontab", f"{one:%a %d.%m.}", "Fri 13.02.")
one = CronTrigger.from_crontab("0 0 13 * fri", timezone.utc).get_next_fire_time(None, start)
see("APScheduler", f"{one:%a %d.%m.}", "Fri 13.02.")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
