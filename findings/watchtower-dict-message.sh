#!/usr/bin/env bash
# logger.exception({"order": 7}) was expected to reach CloudWatch with the traceback, as a text message does.
# watchtower 3.4.0 writes a dict message as JSON, a feature that its manual describes, and then leaves the traceback,
# the type and the text of the exception out. A text message from the same place has all three.
# A message that is empty is dropped with a warning on standard error.
# Services that log structured data lose the cause of each failure; the record says which order, not why.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check watchtower==3.4.0 boto3==1.44.8 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("watchtower", version("watchtower"))
print("boto3", version("boto3"))
import logging, warnings
import watchtower
sent = []
class Cloud:  # stands in for the vendor's service
    def put_log_events(self, **call):
        sent.extend(event["message"] for event in call["logEvents"])
        return {}
    def __getattr__(self, name):
        return lambda **call: {}
handler = watchtower.CloudWatchLogHandler(log_group_name="shop", boto3_client=Cloud(), use_queues=False, create_log_group=False, create_log_stream=False)
logger = logging.Logger("shop")
logger.addHandler(handler)
for message in ({"order": 7}, "order 7"):
    try:
        raise ValueError("refused")
    except ValueError:
        logger.exception(message)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    logger.error("")
print(sent)
see("dict message", sent[0], '{"order": 7}')
see("text message has the exception", "ValueError: refused" in sent[1], True)
see("empty message sent", len(sent) > 2, False)
see("warnings", len(told), 1)
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
