#!/usr/bin/env bash
# A line of daiquiri's own JSON_FORMATTER was expected to say how severe it is, when it was, and by which logger,
# as its text formatters do.
# daiquiri 3.4.0 writes the message alone (and exc_info where there is one).
# A collector that reads these lines sees no level: errors count as information, or as errors all of them.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check daiquiri==3.4.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("daiquiri", version("daiquiri"))
import json
import logging
from daiquiri import formatter
record = logging.LogRecord("shop", logging.CRITICAL, "shop.py", 3, "disk full", (), None)
see("as JSON", json.loads(formatter.JSON_FORMATTER.format(record)), {"message": "disk full"})
record.levelname = "CRITICAL"
see("its fields", sorted(json.loads(formatter.JSON_FORMATTER.format(record))), ["message"])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
