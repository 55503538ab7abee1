#!/usr/bin/env bash
# 20260102T030405Z, the compact form of ISO 8601, was expected to be read as 2 January 2026, or refused.
# dateparser 1.5.0 reads it as 30405 days ago, over eighty years. The week date 2026-W01-5 (2 January) becomes the 5th.
# A seconds count with a fraction, 1767323045.5, loses the fraction, and the offset -03 without minutes and the time
# form of web server logs, 10/Oct/2000:13:55:36 -0700, are not read at all.
# Calendar feeds, backup names and cloud audit logs use the compact form.
# An event dated in the 1940s is dropped by any retention rule, or sorts before all others, with no error.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check dateparser==1.5.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("dateparser", version("dateparser"))
from datetime import datetime, timezone
import dateparser
settings = {"TIMEZONE": "UTC", "TO_TIMEZONE": "UTC"}
def read(text):
    moment = dateparser.parse(text, settings=settings)
    return moment and moment.replace(microsecond=moment.microsecond // 1000 * 1000).isoformat()
see("2026-01-02T03:04:05Z", read("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05+00:00")
past = datetime.now(timezone.utc).replace(tzinfo=None) - dateparser.parse("20260102T030405Z", settings=settings).replace(tzinfo=None)
see("20260102T030405Z, days ago", round(past.total_seconds() / 86400), 30405)
see("2026-W01-5", read("2026-W01-5"), "2026-01-05T00:00:00")
see("1767323045.5", read("1767323045.5"), "2026-01-02T03:04:05")
see("2026-01-02T03:04:05-03", read("2026-01-02T03:04:05-03"), None)
see("10/Oct/2000:13:55:36 -0700", read("10/Oct/2000:13:55:36 -0700"), None)
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
