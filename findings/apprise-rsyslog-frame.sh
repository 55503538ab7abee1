#!/usr/bin/env bash
# A notice to an rsyslog:// target was expected to be an RFC 3164 line with time and host, or an RFC 5424 one.
# apprise 2.3.0 sends "<PRI>- PID TITLE: BODY": a dash, the process number, and neither time, host, nor program.
# A line break in the body stays in the datagram, and the kinds info, success, warning and failure become the
# severities 6, 5, 4 and 2, so "success" is the more severe notice of the first two and "failure" is critical.
# A syslog intake that reads host and tag by position files these under a host called "-" or a number,
# and one notice may be split in two.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check apprise==2.3.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
import re, socket
import apprise
print("apprise", version("apprise"))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); s.settimeout(5)
port = s.getsockname()[1]
for kind, pri in (("info", 14), ("success", 13), ("warning", 12), ("failure", 10)):
    a = apprise.Apprise(); a.add(f"rsyslog://127.0.0.1:{port}")
    a.notify(title="Disk", body="full\nsince noon", notify_type=kind)
    see(kind, re.sub(rb" \d+ ", b" PID ", s.recv(9000), count=1), b"<%d>- PID Disk: full\nsince noon" % pri)
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
