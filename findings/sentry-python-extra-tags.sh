#!/usr/bin/env bash
# extra={"tags": {...}} on a logging call was expected to arrive in the extra data of the event, or as its tags.
# sentry-sdk 2.75.0 drops the names "tags" and "stack" from a record's extras: they are in neither place.
# Tags set through the scope keep their Python type, so a number, a boolean and None arrive as such and not as text.
# An application that names its routing data "tags" loses exactly those, and the receiver cannot tell,
# while a rule that compares a tag with the text "5" or "true" misses the typed value.
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
        items.extend(json.loads(i.get_bytes()) for i in envelope.items)
sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Keep)
logging.getLogger().addHandler(logging.NullHandler())
logging.getLogger("shop").error("paid twice", extra={"tags": {"team": "pay"}, "stack": "blue", "labels": {"team": "pay"}})
sentry_sdk.set_tag("shard", 5); sentry_sdk.set_tag("canary", True); sentry_sdk.set_tag("owner", None)
sentry_sdk.capture_message("hello")
first, second = items
extra = {k: v for k, v in first["extra"].items() if k != "sys.argv"}
see("extra that arrived", extra, {"labels": {"team": "pay"}})
see("tags that arrived", first.get("tags"), None)
see("tags set on the scope", second.get("tags"), {"shard": 5, "canary": True, "owner": None})
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
