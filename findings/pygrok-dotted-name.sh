#!/usr/bin/env bash
# A grok pattern with a dotted field name, %{IP:client.ip}, was expected to yield the field client.ip, or an error.
# pygrok 1.0.0 raises nothing and never matches any line, whatever the line holds.
# The names of the Elastic Common Schema all have dots, and Logstash patterns write nested names as [client][ip],
# which match nothing here either.
# A name used twice keeps the last match only, where Logstash collects both in a list.
# A parser that keeps lines without a match as plain text shows no sign of the lost fields.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check pygrok==1.0.0 setuptools==80.9.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("pygrok", version("pygrok"))
print("setuptools", version("setuptools"))
from pygrok import Grok
see("plain name", Grok("%{IP:client} %{WORD:verb}").match("10.0.0.1 GET"), {"client": "10.0.0.1", "verb": "GET"})
see("dotted name", Grok("%{IP:client.ip} %{WORD:verb}").match("10.0.0.1 GET"), None)
see("name in brackets", Grok("%{IP:[client][ip]} %{WORD:verb}").match("10.0.0.1 GET"), None)
see("the same name twice", Grok("%{WORD:tag} %{WORD:tag}").match("db slow"), {"tag": "slow"})
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
