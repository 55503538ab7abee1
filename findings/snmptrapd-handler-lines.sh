#!/usr/bin/env bash
# A trap text with a line break was expected to reach the trap handler on one line, and a text in UTF-8 as text;
# the manual describes one line per variable.
# snmptrapd 5.9.3 (Debian 12) writes the line break as it is inside the quotes, so the rest of the text stands where
# the next variable is expected.
# A text with any letter outside ASCII is handed over as hex bytes in the same quotes, "67 72 C3 B6 C3 9F 65 ",
# which nothing tells from a text of digits and blanks; only the log names it Hex-STRING.
# A handler that reads name and value line by line drops half of the message or fails on it,
# and shows operators numbers in place of names.
set -euo pipefail
T=$(mktemp -d); P=()
trap 'for p in ${P[@]+"${P[@]}"}; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"
apt-get -qq download snmptrapd=5.9.3+dfsg-2+deb12u1 snmp=5.9.3+dfsg-2+deb12u1 libsnmp40=5.9.3+dfsg-2+deb12u1 libnetsnmptrapd40=5.9.3+dfsg-2+deb12u1 libpci3 libpcre3 2>apt.log || { cat apt.log; exit 2; }
for deb in *.deb; do dpkg -x "$deb" x; done
dpkg-deb -f snmptrapd_*.deb Package Version
export LD_LIBRARY_PATH=$T/x/usr/lib/x86_64-linux-gnu:$T/x/lib/x86_64-linux-gnu MIBS=
cat > handler <<H
#!/bin/sh
cat > $T/part && mv $T/part $T/got
H
chmod +x handler
printf 'disableAuthorization yes\ntraphandle default %s/handler\n' "$T" > trapd.conf
N=$(python3 -c 'import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
x/usr/sbin/snmptrapd -f -Lf trapd.log -n -C -c trapd.conf --persistentDir="$T/p" "udp:127.0.0.1:$N" >out 2>&1 & P+=($!)
for _ in $(seq 30); do
  x/usr/bin/snmptrap -v 2c -c public --persistentDir="$T/p" "127.0.0.1:$N" '' 1.3.6.1.4.1.99999.1 \
    1.3.6.1.4.1.99999.2 s "$(printf 'backup failed\ndisk full')" 1.3.6.1.4.1.99999.3 s 'größe' 1.3.6.1.4.1.99999.4 s 'say "hi"' 2>/dev/null
  for _ in 1 2 3 4 5; do [ -e got ] && break 2; sleep 0.2; done
done
cat got; grep -o '99999.3 = [^"]*' trapd.log | head -1
cat > look.py <<'PY'
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
lines = open("got").read().splitlines()[2:]
see("lines for five variables", len(lines), 6)
see("line break", lines[2:4], ['iso.3.6.1.4.1.99999.2 "backup failed', 'disk full"'])
see("letters outside ASCII", lines[4], 'iso.3.6.1.4.1.99999.3 "67 72 C3 B6 C3 9F 65 "')
see("quotes", lines[5], 'iso.3.6.1.4.1.99999.4 "say \\"hi\\""')
sys.exit(0 if good else 1)
PY
python3 look.py
