#!/usr/bin/env bash
# An RFC 5424 record sent to the network() source of syslog-ng was expected to be recognised by the 1 after its
# priority; rsyslog takes both forms on one port.
# syslog-ng 3.38.1 (Debian 12) reads it as RFC 3164: the program is "1", the host is the address of the sender, the time
# is the time of arrival, and the rest is the message. Facility and level are right, so nothing looks amiss.
# Only with flags(syslog-protocol), or in the syslog() source, is it read as it was meant.
# The logger command of Debian 12 sends this form by default once a server is named,
# so every host and program falls into one group called 1.
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
destination d { file("$T/got" template("\$HOST|\$PROGRAM|\$YEAR|\$LEVEL|\$MSG\n")); };
log { source(s); destination(d); };
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
record = '<11>1 2020-01-02T03:04:05Z web1 shop 7 - [x@1 a="b"] order refused'
got = send(record)
host, program, year, level, message = got.split("|", 4)
see("host, program, level", (host, program, level), ("127.0.0.1", "1", "err"))
see("year of the record kept", year == "2020", False)
see("message", message, record.split(" ", 1)[1])
see("RFC 3164 on the same port", send("<11>Jan  2 03:04:05 web1 shop[7]: order refused").split("|", 2)[:2], ["web1", "shop"])
sys.exit(0 if good else 1)
PY
python3 probe.py
