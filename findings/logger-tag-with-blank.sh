#!/usr/bin/env bash
# A tag with a blank (-t "nightly backup") was expected to be refused, as a tag of more than 48 characters is,
# or to be made valid.
# logger 2.38.1 (util-linux, Debian 12) writes it as it is, in the RFC 5424 form, where a blank ends the name:
# a reader finds program "nightly", process id "backup" and message id "-", and the real dash of the message id
# where the structured data should start; the data that logger adds is then part of the message.
# Backup jobs grouped by program fall together with whatever else starts with the same word.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
apt-get -qq download bsdutils=1:2.38.1-5+deb12u3 2>apt.log || { cat apt.log; exit 2; }
dpkg -x bsdutils_*.deb x
x/usr/bin/logger --version
cat > probe.py <<'PY'
import socket, subprocess, sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.bind(("127.0.0.1", 0))
def send(arguments, text=None):
    subprocess.run(["x/usr/bin/logger", "-d", "-n", "127.0.0.1", "-P", str(port.getsockname()[1]), *arguments], input=text, text=True, check=True)
    port.settimeout(2)
    out = []
    try:
        while True:
            out.append(port.recv(65000).decode())
    except TimeoutError:
        return out
record = send(["--rfc5424", "-t", "nightly backup", "done"])[0]
print(record)
see("fields 4 to 7", record.split(" ", 7)[3:7], ["nightly", "backup", "-", "-"])
see("rest", record.split(" ", 7)[7].startswith("[timeQuality ") and record.endswith("] done"), True)
see("too long", subprocess.run(["x/usr/bin/logger", "--rfc5424", "-d", "-n", "127.0.0.1", "-P", "9", "-t", "z" * 60, "m"], capture_output=True).returncode, 1)
sys.exit(0 if good else 1)
PY
python3 probe.py
