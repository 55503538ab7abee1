#!/usr/bin/env bash
# An RFC 3164 record whose host is an IPv6 address was expected to be read with that address as its host,
# since the RFC names IPv4 and IPv6 addresses as allowed there.
# rsyslog 8.2302.0 (Debian 12) ends the tag at the first colon: the tag is "2001:", the host is the address the datagram
# came from, and the rest of the address and the real tag stand in the message. An IPv4 address is read as host.
# A record without a tag loses its first word to the tag, and the byte order mark of an RFC 5424 text stays in the text.
# Behind a relay all IPv6 devices appear under the name of the relay, and each prefix becomes a program.
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
for record in ("<34>Jan  2 03:04:05 10.0.0.1 su[7]: v4", "<34>Jan  2 03:04:05 2001:db8::1 su[7]: v6", "<34>Jan  2 03:04:05 web1 disk is full", "<34>1 2026-01-02T03:04:05Z web1 shop - - - \ufefftext", "<34>Jan  2 03:04:05 web1 probe: last"):
    port.sendto(record.encode(), here)
    time.sleep(0.1)
lines = written("last")
print("\n".join(lines))
see("IPv4 address as host", lines[0], "10.0.0.1|su[7]:| v4")
see("IPv6 address as host", lines[1], "127.0.0.1|2001:|db8::1 su[7]: v6")
see("no tag", lines[2], "web1|disk| is full")
see("byte order mark", lines[3], "web1|shop|\ufefftext")
sys.exit(0 if good else 1)
PY
python3 probe.py
