#!/usr/bin/env bash
# JSON keys that differ in case (Id and id) were expected to stay two keys in rsyslog's mmjsonparse, as in JSON,
# and a whole number to keep its digits.
# rsyslog 8.2302.0 (Debian 12) keeps the first spelling with the last value: {"Level": "error", "level": 7} becomes
# {"Level": 7}, and the text is gone.
# A number above 2**63 - 1, such as an unsigned 64-bit trace or account id, becomes 9223372036854775807 without a word,
# so all of them become one. Fractions keep the digits they were written with.
# Records of .NET programs that wrap another logger's JSON carry both spellings; which level survives depends on order.
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
module(load="imudp") module(load="imtcp") module(load="mmjsonparse")
template(name="fields" type="string" string="%\$!%\n")
ruleset(name="all") { action(type="mmjsonparse" cookie="") action(type="omfile" file="$T/got" template="fields") }
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
head = "<13>Jan  2 03:04:05 web1 shop: "
for text in ('{"Level": "error", "level": 7}', '{"id": 18446744073709551615, "other": 9223372036854775808}', '{"rate": 0.0000001}', '{"last": 1}'):
    port.sendto((head + text).encode(), here)
    time.sleep(0.1)
lines = written("last")
print("\n".join(lines))
see("two spellings", lines[0], '{ "Level": 7 }')
see("large numbers", lines[1], '{ "id": 9223372036854775807, "other": 9223372036854775807 }')
see("fraction", lines[2], '{ "rate": 0.0000001 }')
sys.exit(0 if good else 1)
PY
python3 probe.py
