#!/usr/bin/env bash
# A line "7 jobs failed" in a stream of records, each ended by a line break, was expected to be one record,
# as it is over UDP.
# rsyslog 8.2302.0 (Debian 12) takes a number and a blank at the start of a line for the length of a frame, although the
# other records on the connection have none: 7 bytes are one record, then reading goes on in the middle of the line.
# After "500 jobs failed" the records that follow are swallowed as part of that frame.
# A multi-line message, such as the table of a report, puts such lines into a stream that is well-formed otherwise;
# the error sent next is filed inside another record, and no rule on severity or program sees it.
set -euo pipefail
T=$(mktemp -d); P=()
trap 'for p in ${P[@]+"${P[@]}"}; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"
apt-get -qq download rsyslog=8.2302.0-1+deb12u2 libestr0 libfastjson4 liblognorm5 2>apt.log || { cat apt.log; exit 2; }
for deb in *.deb; do dpkg -x "$deb" x; done
dpkg-deb -f rsyslog_*.deb Package Version
N=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
cat > rsyslog.conf <<C
global(workDirectory="$T" net.enableDNS="off")
module(load="imudp") module(load="imtcp")
template(name="fields" type="string" string="%hostname%|%syslogtag%|%msg%\n")
ruleset(name="all") { action(type="omfile" file="$T/got" template="fields") }
input(type="imudp" port="$N" address="127.0.0.1" ruleset="all")
input(type="imtcp" port="$N" address="127.0.0.1" ruleset="all")
C
LD_LIBRARY_PATH=$T/x/usr/lib/x86_64-linux-gnu:$T/x/lib/x86_64-linux-gnu x/usr/sbin/rsyslogd -n -f rsyslog.conf -i "$T/pid" -M "$T/x/usr/lib/x86_64-linux-gnu/rsyslog" >log 2>&1 & P+=($!)
cat > probe.py <<PY
import socket, sys, time
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
here = ("127.0.0.1", $N)
def connect():
    for _ in range(100):
        try:
            return socket.create_connection(here)
        except OSError:
            time.sleep(0.2)
    sys.exit(3)
connect().close()
def written(last):
    for _ in range(100):
        try:
            lines = open("got", encoding="utf-8").read().splitlines()
        except FileNotFoundError:
            lines = []
        if any(last in line for line in lines):
            return lines
        time.sleep(0.2)
    sys.exit(f"nothing arrived: {last}")
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.sendto(b"7 jobs failed", here)
udp = written("failed")
print("UDP:", udp)
see("UDP, records", len(udp), 1)
before = len(udp)
stream = connect()
stream.sendall(b"<13>Jan  2 03:04:05 web1 report: nightly\n7 jobs failed\n<13>Jan  2 03:04:05 web1 report: end of short\n")
lines = written("end of short")[before:]
print("short number:", *lines, sep="\n  ")
see("records for the line with 7", len(lines) - 2, 2)
before += len(lines)
swallowed = b"500 jobs failed\n<11>Jan  2 03:04:05 web1 shop: database is gone\n"
stream.sendall(swallowed + b"<13>Jan  2 03:04:05 web1 report: padding " + b"x" * 520 + b"\n<13>Jan  2 03:04:05 web1 report: end of long\n")
lines = written("end of long")[before:]
print("long number:", *(line[:90] for line in lines), sep="\n  ")
see("records of shop", sum(line.startswith("web1|shop:") for line in lines), 0)
see("its text inside another record", sum("database is gone" in line and not line.startswith("web1|shop:") for line in lines), 1)
sys.exit(0 if good else 1)
PY
python3 probe.py
