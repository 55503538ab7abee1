#!/usr/bin/env bash
# Extra fields of a log record were expected to reach GELF as text or numbers, the only values the format allows.
# graypy 2.1.0 and pygelf 0.4.3 write a map, a list, true and null as such: "_order": {"id": 7}, "_n": null.
# Each record also carries "_stack_info": null, although nothing was asked for.
# The field named id, which GELF forbids as _id, is dropped without a word.
# A receiver that holds to the format refuses the message, and one that does not gets an object where the same field
# was a text before, which an index with fixed types refuses; the sender, on UDP, hears nothing of either.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check graypy==2.1.0 pygelf==0.4.3 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
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
import json, logging, socket, zlib
import graypy, pygelf
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.bind(("127.0.0.1", 0))
port.settimeout(10)
here = ("127.0.0.1", port.getsockname()[1])
for name, handler in (("graypy", graypy.GELFUDPHandler(*here)), ("pygelf", pygelf.GelfUdpHandler(*here, include_extra_fields=True, compress=False))):
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    logger.error("refused", extra={"id": 7, "order": {"id": 7}, "items": ["a", "b"], "paid": True, "n": None})
    data = port.recv(65000)
    message = json.loads(zlib.decompress(data) if data[:1] == b"\x78" else data)
    print(name, json.dumps(message))
    see(f"{name}, extra fields", {k: message[k] for k in ("_order", "_items", "_paid", "_n", "_stack_info")}, {"_order": {"id": 7}, "_items": ["a", "b"], "_paid": True, "_n": None, "_stack_info": None})
    see(f"{name}, fields with id", [k for k in message if k.strip("_") == "id"], [])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
