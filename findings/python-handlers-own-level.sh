#!/usr/bin/env bash
# A Python record at a level of the application's own (45 above ERROR, 5 for TRACE) was expected to be sent with the
# nearest level that the receiver knows.
# graypy 2.1.0 sends the Python number as the syslog level: 45, which does not exist, and 5, which is "notice",
# so that TRACE stands above INFO (6). rfc5424-logging-handler 1.4.3 sends both as 4, warning: 45 falls below ERROR,
# and TRACE rises above it. pygelf 0.4.3 raises inside the handler and sends nothing.
# RollbarHandler of rollbar 1.5.0 sends nothing either and says nothing.
# One level name added to a service turns its worst records into warnings, or into silence, by the choice of handler.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check graypy==2.1.0 pygelf==0.4.3 rfc5424-logging-handler==1.4.3 rollbar==1.5.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("graypy", version("graypy"))
print("pygelf", version("pygelf"))
print("rfc5424-logging-handler", version("rfc5424-logging-handler"))
print("rollbar", version("rollbar"))
import http.server, json, logging, socket, threading, zlib
import graypy, pygelf, rollbar
from rfc5424logging import Rfc5424SysLogHandler
from rollbar.logger import RollbarHandler
logging.raiseExceptions = False
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.bind(("127.0.0.1", 0))
port.settimeout(3)
here = ("127.0.0.1", port.getsockname()[1])
def log(handler, level):
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    logger.log(level, "own level")
def datagram():
    try:
        return port.recv(65000)
    except TimeoutError:
        return None
gelf = []
for level in (45, 5, 20):
    log(graypy.GELFUDPHandler(*here), level)
    gelf.append(json.loads(zlib.decompress(datagram()))["level"])
see("graypy, level for 45, 5 and INFO", gelf, [45, 5, 6])
syslog = []
for level in (45, 5, 40):
    log(Rfc5424SysLogHandler(address=here), level)
    syslog.append(int(datagram()[1:].split(b">")[0]) % 8)
see("rfc5424-logging-handler, severity for 45, 5 and ERROR", syslog, [4, 4, 3])
log(pygelf.GelfUdpHandler(*here), 45)
see("pygelf, datagram for 45", datagram(), None)
log(pygelf.GelfUdpHandler(*here, compress=False), 40)
see("pygelf, datagram for ERROR", b"own level" in datagram(), True)
got = []
class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        got.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["data"]["level"])
        self.send_response(200); self.end_headers(); self.wfile.write(b'{"err": 0, "result": {}}')
    def log_message(self, *a): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
rollbar.init("0" * 32, "test", endpoint=f"http://127.0.0.1:{server.server_port}/api/1/", handler="blocking")
for level in (45, 25, 40):
    log(RollbarHandler(level=logging.NOTSET), level)
see("rollbar, items for 45, 25 and ERROR", got, ["error"])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
