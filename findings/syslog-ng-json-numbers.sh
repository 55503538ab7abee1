#!/usr/bin/env bash
# Numbers in a JSON message were expected to leave the json-parser of syslog-ng as they were written.
# syslog-ng 3.38.1 (Debian 12) writes each float with six decimals: 1.5 becomes 1.500000, and 0.0000001 is 0.000000.
# null becomes an empty text, as does an empty list, and true and every number become texts in the JSON it writes.
# A list that holds an object becomes one text with JSON in it.
# Small rates and prices turn to zero on the way, a rule "above 0" stays silent, and a receiver that knows the types of
# the source finds others.
set -euo pipefail
T=$(mktemp -d); P=()
trap 'for p in ${P[@]+"${P[@]}"}; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"
apt-get -qq download syslog-ng-core=3.38.1-5+deb12u1 libivykis0 libnet1 libpcre3 libjson-c5 libglib2.0-0 libwrap0 2>apt.log || { cat apt.log; exit 2; }
for deb in *.deb; do dpkg -x "$deb" x; done
dpkg-deb -f syslog-ng-core_*.deb Package Version
N=$(python3 -c 'import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
cat > syslog-ng.conf <<C
@version: 3.38
options { keep-hostname(yes); stats-freq(0); use-dns(no); dns-cache(no); };
source s { network(ip("127.0.0.1") port($N) transport("udp")); };
parser p { json-parser(prefix("j.")); };
destination d { file("$T/got" template("\$(format-json --key j.*)\n")); };
log { source(s); parser(p); destination(d); };
C
lib=$T/x/usr/lib
LD_LIBRARY_PATH=$lib/x86_64-linux-gnu:$T/x/lib/x86_64-linux-gnu:$lib/syslog-ng x/usr/sbin/syslog-ng -F -f syslog-ng.conf --module-path="$lib/syslog-ng/3.38" -R "$T/persist" -c "$T/ctl" -p "$T/pid" --no-caps >log 2>&1 & P+=($!)
cat > probe.py <<PY
import os, socket, sys, time
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def send(record):
    for _ in range(50):
        before = os.path.getsize("got") if os.path.exists("got") else 0
        port.sendto(record.encode(), ("127.0.0.1", $N))
        for _ in range(10):
            time.sleep(0.1)
            if os.path.exists("got") and os.path.getsize("got") > before:
                return open("got", encoding="utf-8").read().splitlines()[-1]
    sys.exit("nothing arrived: " + open("log").read())
import json
got = json.loads(send('<13>Jan  2 03:04:05 web1 shop: {"rate": 1.5, "small": 0.0000001, "count": 7, "ok": true, "none": null, "empty": [], "list": [1, {"a": 2}]}'))["j"]
print(got)
see("floats", (got["rate"], got["small"]), ("1.500000", "0.000000"))
see("count, ok", (got["count"], got["ok"]), ("7", "true"))
see("null, empty list", (got["none"], got["empty"]), ("", ""))
see("list with an object", got["list"], '[1,{"a":2}]')
sys.exit(0 if good else 1)
PY
python3 probe.py
