#!/usr/bin/env bash
# A notice with a title and an empty body was expected to be sent: the title is content.
# apprise 2.3.0 fails such a call without contacting any target.
# A body of one blank is enough: the notice then goes out with its title and an empty message,
# and a lone line break with no title at all goes out as a wholly empty notice.
# Trailing blanks of the body are cut on the way.
# An alert whose summary is its whole text, with no description, is reported as unsent although every target is well.
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
import http.server, json, threading, logging
import apprise
logging.disable(logging.CRITICAL)
print("apprise", version("apprise"))
got = []
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
threading.Thread(target=web.serve_forever, daemon=True).start()
a = apprise.Apprise(); a.add(f"json://127.0.0.1:{web.server_port}")
def send(title, body):
    got.clear()
    ok = bool(a.notify(title=title, body=body))
    return ok, [(g["title"], g["message"]) for g in got]
see("title, empty body", send("Disk full", ""), (False, []))
see("title, blank body", send("Disk full", " "), (True, [("Disk full", "")]))
see("line break only", send("", "\n"), (True, [("", "")]))
see("outer blanks", send("t", "  a  \n"), (True, [("t", "  a")]))
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
