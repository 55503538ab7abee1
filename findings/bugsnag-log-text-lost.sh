#!/usr/bin/env bash
# logger.exception("order %s not saved", 7) was expected to send its text beside the exception.
# The logging handler of bugsnag 4.9.2 sends the exception, the level and twenty facts about process and thread,
# but the text of the log call is in no field of the event, nor are its arguments or extra fields.
# Without an exception the same handler makes the text the message of an error class LogERROR.
# The text of the call is often the sole place that says which order, host or file it was about.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check bugsnag==4.9.2 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("bugsnag", version("bugsnag"))
import http.server, json, logging, threading
import bugsnag
from bugsnag.handlers import BugsnagHandler
got = []
class Notify(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        got.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["events"][0])
        self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Notify)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
bugsnag.configure(api_key="0" * 32, endpoint=url, session_endpoint=url, asynchronous=False, auto_capture_sessions=False)
bugsnag.configure(send_code=False)
logger = logging.Logger("shop")
logger.addHandler(BugsnagHandler())
try:
    raise ValueError("refused")
except ValueError:
    logger.exception("order %s not %s", 7, "saved", extra={"host": "web1"})
logger.error("order %s not %s", 7, "saved")
print(json.dumps(got[0])[:700])
see("with an exception: class and message", [(e["errorClass"], e["message"]) for e in got[0]["exceptions"]], [("ValueError", "refused")])
see("text of the call, arguments or extra in the event", [w for w in ("not saved", "saved", "web1") if w in json.dumps(got[0])], [])
see("without one: class and message", [(e["errorClass"], e["message"]) for e in got[1]["exceptions"]], [("LogERROR", "order 7 not saved")])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
