#!/usr/bin/env bash
# A dict sent in HTTP binary mode was expected to carry content-type application/json, and a body that came without
# a content type was expected to stay bytes.
# The cloudevents 2.2.0 Python SDK sends the JSON body with no content-type header unless the event names one,
# and on reading it takes a body without content type for JSON.
# An extension that is null on the wire stays as a present attribute None, though the specification says null is absent,
# while "subject": null, equally absent by that text, makes the whole event invalid.
# So a gateway that demands a content type drops these events, and one null attribute loses an alert.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check cloudevents==2.2.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
from cloudevents.core.v1.event import CloudEvent
from cloudevents.core.bindings import http
print("cloudevents", version("cloudevents"))
base = {"specversion": "1.0", "id": "1", "type": "t", "source": "/s"}
sent = http.to_binary_event(CloudEvent(dict(base), {"a": 1}))
see("content-type sent with a dict", sent.headers.get("content-type"), None)
see("body", sent.body, b"{\"a\": 1}")
head = {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "t", "ce-source": "/s"}
see("body read without content type", http.from_binary_event(http.HTTPMessage(head, b"{\"a\": 1}")).get_data(), {"a": 1})
def read(text):
    try:
        return http.from_structured_event(http.HTTPMessage({"content-type": "application/cloudevents+json"}, text)).get_attributes()
    except Exception as e:
        return type(e).__name__
got = read(b"{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"source\":\"/s\",\"region\":null}")
see("null extension", ("region" in got, got["region"]), (True, None))
see("null subject", read(b"{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"source\":\"/s\",\"subject\":null}"), "CloudEventValidationError")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
