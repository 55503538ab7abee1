#!/usr/bin/env bash
# A daily job at 02:30 Europe/Berlin was expected once on each of the two clock-change days, in spring at 03:30.
# croniter 7.0.0 with zoneinfo puts the spring run at 03:00, the very moment the clock jumps to,
# and in autumn it returns 02:30 twice, once per offset.
# A two-hourly job runs at 00:00, 03:00 and 04:00 on the spring day.
# A monitor that works out the next expected check-in or duty hand-over with it reports a missed run in spring
# and waits for a second one in autumn, where a scheduler that minds the clock change starts one.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check croniter==7.0.0 tzdata 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
from datetime import datetime
from zoneinfo import ZoneInfo
from croniter import croniter
print("croniter", version("croniter"))
berlin = ZoneInfo("Europe/Berlin")
def runs(rule, start, n):
    c = croniter(rule, start)
    return [c.get_next(datetime).isoformat()[5:] for _ in range(n)]
see("spring, 30 2 * * *", runs("30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=berlin), 2), ["03-29T03:00:00+02:00", "03-30T02:30:00+02:00"])
see("autumn, 30 2 * * *", runs("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=berlin), 3), ["10-25T02:30:00+02:00", "10-25T02:30:00+01:00", "10-26T02:30:00+01:00"])
see("spring, 0 */2 * * *", runs("0 */2 * * *", datetime(2026, 3, 28, 23, tzinfo=berlin), 3), ["03-29T00:00:00+01:00", "03-29T03:00:00+02:00", "03-29T04:00:00+02:00"])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
