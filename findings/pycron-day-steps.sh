#!/usr/bin/env bash
# A crontab line with */2 as its day of the month was expected to fire as cron does, on odd days: a step begins at
# the field's first value, which is 1.
# pycron 3.2.0 fires on even days, as it takes the day modulo the step; */5 is 5, 10, 15 instead of 1, 6, 11.
# The weekday 7, Sunday for cron, never comes, alone or as the end of 5-7, and nothing is refused;
# 0 and SUN are Sunday.
# A job that a scheduler on pycron runs and a monitor expects by cron's rules is late on every second day,
# and a weekly one on day 7 never runs at all.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check pycron==3.2.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("pycron", version("pycron"))
from datetime import datetime
import pycron
def days(line):
    return [day for day in range(1, 32) if pycron.is_now(line, datetime(2026, 1, day))]
see("every second day", days("0 0 */2 * *"), list(range(2, 32, 2)))
see("every fifth day", days("0 0 */5 * *"), [5, 10, 15, 20, 25, 30])
see("weekday 0, the Sundays", days("0 0 * * 0"), [4, 11, 18, 25])
see("weekday SUN", days("0 0 * * SUN"), [4, 11, 18, 25])
see("weekday 7", days("0 0 * * 7"), [])
see("weekdays 5-7 (without Sundays)", days("0 0 * * 5-7"), [2, 3, 9, 10, 16, 17, 23, 24, 30, 31])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
