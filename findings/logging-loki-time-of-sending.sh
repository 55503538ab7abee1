#!/usr/bin/env bash
# The time of a log line in Loki was expected to be the time of the log record, and labels to be made valid.
# python-logging-loki 0.3.1 stamps each line with the moment the handler sends it. Behind the queue handler that the
# package itself offers, or with records that were kept back, that is any time later.
# Tags given with the call are cleaned, but tags of the handler are not: "app.name" and "app-name" are no Loki label
# names, and a number stays a number, where Loki's JSON wants text, so the server refuses the push.
# Other extra fields of the record are dropped.
# After a stall, a burst of old errors looks like a present one, and cause and effect of two services swap places.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check python-logging-loki==0.3.1 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("python-logging-loki", version("python-logging-loki"))
import http.server, json, logging, threading
import logging_loki
got = []
class Push(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        got.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["streams"][0])
        self.send_response(204); self.end_headers()
    def log_message(self, *a): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Push)
threading.Thread(target=server.serve_forever, daemon=True).start()
handler = logging_loki.LokiHandler(url=f"http://127.0.0.1:{server.server_port}/loki/api/v1/push", tags={"app.name": "shop", "app-part": "web"}, version="1")
logger = logging.Logger("shop")
logger.addHandler(handler)
record = logger.makeRecord("shop", logging.ERROR, "f.py", 1, "refused", (), None, extra={"tags": {"host.name": "web1", "code": 5}, "order": 7})
record.created = 1767323045.007
logger.handle(record)
print(json.dumps(got[0]))
see("line stamped with the time of the record", got[0]["values"][0][0].startswith("1767323045"), False)
see("seconds between stamp and record, at least a day", int(got[0]["values"][0][0]) / 1e9 - record.created > 86400, True)
see("labels", got[0]["stream"], {"app.name": "shop", "app-part": "web", "severity": "error", "logger": "shop", "host_name": "web1", "code": 5})
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
