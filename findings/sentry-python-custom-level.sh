#!/usr/bin/env bash
# A log record at a level of the application's own (45, "SEVERE") was expected to reach the receiver as some level.
# sentry-sdk 2.75.0 sends the event with no level key at all, while the breadcrumb of the same record says "severe"
# and the structured log item of the same record says "error".
# Sentry's own default for an event without level is error, so a receiver that defaults a missing level to info,
# or that matches on the level key, ranks a record above ERROR below it.
# One call therefore yields three different severities in three envelope items.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check sentry-sdk==2.75.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
import json, logging
import sentry_sdk
from sentry_sdk.transport import Transport
print("sentry-sdk", version("sentry-sdk"))
items = []
class Keep(Transport):
    def capture_envelope(self, envelope):
        items.extend((i.headers["type"], json.loads(i.get_bytes())) for i in envelope.items)
sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Keep, enable_logs=True)
logging.addLevelName(45, "SEVERE")
log = logging.getLogger("shop")
log.propagate = True
logging.getLogger().addHandler(logging.NullHandler())
log.log(45, "disk is failing")
log.critical("disk is gone")
sentry_sdk.flush()
events = [p for t, p in items if t == "event"]
logs = [x for t, p in items if t == "log" for x in p["items"]]
see("event of SEVERE has a level", "level" in events[0], False)
see("event of CRITICAL", events[1].get("level"), "fatal")
see("breadcrumb of SEVERE", events[1]["breadcrumbs"]["values"][0]["level"], "severe")
see("log item of SEVERE", logs[0]["level"], "error")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
