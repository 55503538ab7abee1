#!/usr/bin/env bash
# notify() was expected to give True, False, or None when no target matched, as it long did.
# apprise 2.3.0 gives an AppriseResult that is never equal to, nor identical with, any of the three.
# Only its truth value still works, and that is false alike for a failure, for a part that failed and for no match.
# Code that asks "is None" for a misspelt tag, "is False" for a failure or "== True" for success compiles and runs,
# but takes the wrong branch every time: retries never start, or every notice looks unsent.
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
import http.server, threading, logging
import apprise
logging.disable(logging.CRITICAL)
print("apprise", version("apprise"))
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(500 if "down" in self.path else 200); self.end_headers()
    def log_message(self, *a): pass
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
threading.Thread(target=web.serve_forever, daemon=True).start()
up, down = (f"json://127.0.0.1:{web.server_port}/{p}" for p in ("up", "down"))
def send(*urls):
    a = apprise.Apprise()
    for u in urls: a.add(u)
    return a.notify(body="b")
for what, r, truth in (("all sent", send(up), True), ("one of two sent", send(up, down), False), ("none sent", send(down), False), ("no target", send(), False)):
    see(what, (bool(r), r == True, r == False, r is None, r.status.name), (truth, False, False, False, {"all sent": "SUCCESS", "one of two sent": "PARTIAL", "none sent": "FAILURE", "no target": "NOMATCH"}[what]))
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
