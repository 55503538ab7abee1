#!/usr/bin/env bash
# A log message that happens to be JSON text was expected to stay the message, and the traceback of logger.exception to
# go along whatever the message is.
# fluent-logger 0.11.1's formatter takes such a text apart: there is no message, its keys stand beside the sender's own,
# and one called sys_host replaces the host that the record says it came from.
# Where the message is a dict or such a text, the traceback is dropped; with a plain text it is appended.
# An error that logs the answer of another service says that service's message as its own, and loses its stack.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check fluent-logger==0.11.1 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("fluent-logger", version("fluent-logger"))
import logging
from fluent.handler import FluentRecordFormatter
def fields(message):
    try:
        raise ValueError("boom")
    except ValueError as error:
        exc_info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("shop", logging.ERROR, "shop.py", 3, message, (), exc_info)
    formatted = FluentRecordFormatter().format(record)
    formatted["has_stack"] = "ValueError: boom" in str(formatted.get("message"))
    return {key: value for key, value in formatted.items() if key in {"message", "a", "has_stack"} and (key != "message" or value == "theirs")} | {"own_host": formatted["sys_host"] != "theirs"}
see("a plain text", fields("refused"), {"has_stack": True, "own_host": True})
see("JSON as text", fields('{"a": 1}'), {"a": 1, "has_stack": False, "own_host": True})
see("a dict", fields({"a": 1}), {"a": 1, "has_stack": False, "own_host": True})
see("JSON with the formatter's names", fields('{"message": "theirs", "sys_host": "theirs"}'), {"message": "theirs", "has_stack": False, "own_host": False})
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
