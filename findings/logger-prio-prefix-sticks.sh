#!/usr/bin/env bash
# A line without a prefix, read by logger --prio-prefix, was expected to get the priority of the command line.
# logger 2.38.1 (util-linux, Debian 12) gives it the priority of the line before it: after "<191>cache miss" (debug)
# a plain line is debug too, and after "<2>..." it is critical. Only lines before the first prefix get the default.
# The manual says that a line without a prefix is logged at the priority of the option.
# Output of programs that mark only some lines, such as the second line of a trace, takes the level of whatever was
# printed before; an error without a prefix after a debug line is filtered away.
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
priorities = [r.split(">")[0] + ">" for r in send(["--prio-prefix", "-p", "user.warning"], "plain\n<191>cache miss\nplain\n<2>disk gone\nplain\n")]
see("priorities", priorities, ["<12>", "<191>", "<191>", "<10>", "<10>"])
sys.exit(0 if good else 1)
PY
python3 probe.py
