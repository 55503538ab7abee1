#!/usr/bin/env bash
# A metric name that holds the protocol's own separators, as one made of an error or a URL does (http:500|checkout),
# was expected to be cleaned or to be refused.
# statsd 4.0.1 sends it as it is, so a server reads another name, value and type, or drops the line;
# a value of set() with a line end becomes two metrics.
# A count for one odd error name is missing or lands in a metric of another name, while the call succeeds.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check statsd==4.0.1 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("statsd", version("statsd"))
import socket
import statsd
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
server.settimeout(5)
client = statsd.StatsClient("127.0.0.1", server.getsockname()[1])
client.incr("plain")
see("a plain name", server.recv(100), b"plain:1|c")
client.incr("http:500|checkout")
see("a name with separators", server.recv(100), b"http:500|checkout:1|c")
client.set("user", "a\nb:1|c")
see("a value with a line end", server.recv(100), b"user:a\nb:1|c|s")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
