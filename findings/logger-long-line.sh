#!/usr/bin/env bash
# A text above the size limit of logger was expected to be cut to that size, or to be sent in pieces, in either case.
# logger 2.38.1 (util-linux, Debian 12) cuts it when it comes as an argument, and splits it when it comes from
# standard input: the rest follows as records of their own that look like new messages.
# The default limit is 1 KiB, also over a network that carries more.
# A JSON line of 3 KiB piped to logger arrives as three records, none of which is JSON,
# while the same line in quotes arrives as one broken record.
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
line = "{" + "a" * 2998 + "}"
text = lambda records: [len(r.split("] ", 1)[1]) for r in records]
see("as argument, characters per record", text(send([line])), [1024])
see("from standard input", text(send([], line + "\n")), [1024, 1024, 952])
see("with --size 4096", text(send(["--size", "4096"], line + "\n")), [3000])
sys.exit(0 if good else 1)
PY
python3 probe.py
