#!/usr/bin/env bash
# A line of Apache's access log whose user agent has a quote, which Apache writes as \\", was expected to yield
# the whole agent.
# apache-log-parser 1.7.0 ends the field at the quote, raises nothing, and keeps the backslash.
# A filter by agent, such as one for a scanner that puts quotes into it, sees the harmless first part.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check apache-log-parser==1.7.0 setuptools==80.9.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("apache-log-parser", version("apache-log-parser"))
print("setuptools", version("setuptools"))
import apache_log_parser
parse = apache_log_parser.make_parser('%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"')
head = '192.0.2.1 - - [01/Dec/2026:10:00:00 +0100] "GET /a HTTP/1.1" 500 12 "-" '
see("a plain agent", parse(head + '"x y z"')["request_header_user_agent"], "x y z")
see("an agent with quotes", parse(head + r'"x \"y\" z"')["request_header_user_agent"], "x \\")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
