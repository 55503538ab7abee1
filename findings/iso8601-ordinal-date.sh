#!/usr/bin/env bash
# An ordinal date of ISO 8601, 2026-121 (the 121st day, May 1), was expected to be read as that day, or to be refused.
# iso8601 2.1.0 reads it as January 21: it splits the three digits into a month of one and a day of two.
# 2026-335 (December 1) is refused, but as a day that March does not have, and 24:00, which the standard knows as the
# end of a day, is refused as well.
# An outage or a certificate whose date came from a system that counts days (mainframes, satellites, batch numbers)
# is months off without an error, for as long as the two digits are a day.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check iso8601==2.1.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("iso8601", version("iso8601"))
import iso8601
def read(text):
    try:
        return str(iso8601.parse_date(text).date())
    except iso8601.ParseError as error:
        return str(error)
see("a calendar date", read("2026-05-01"), "2026-05-01")
see("day 121", read("2026-121"), "2026-01-21")
see("day 131", read("2026-131"), "2026-01-31")
see("day 335", read("2026-335"), "day is out of range for month")
see("the end of a day", read("2026-05-01T24:00:00Z"), "hour must be in 0..23")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
