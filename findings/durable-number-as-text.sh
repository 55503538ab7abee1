#!/usr/bin/env bash
# A rule that compares a field with a number was expected to ignore text, or to read digits in text as a number.
# durable_rules 2.0.28 instead turns the number into text and compares the two letter by letter.
# So "50" counts as at least 400, "1000" does not, and the word "abc" does.
# True also equals 1, so a yes/no field and a count are one to it.
# Log shippers, form posts and CloudEvents headers deliver numbers as text, so a status or count threshold
# can page for a small value and stay silent for a large one, with no error anywhere.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check durable_rules==2.0.28 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
from durable.lang import ruleset, when_all, m, post
from durable.engine import MessageNotHandledException
print("durable_rules", version("durable_rules"))
fired = []
with ruleset("status"):
    @when_all(m.code >= 400)
    def hit(c):
        fired.append(c.m.code)
with ruleset("flag"):
    @when_all(m.up == True)
    def hit2(c):
        fired.append(c.m.up)
def fires(rules, event):
    n = len(fired)
    try:
        post(rules, event)
    except MessageNotHandledException:
        pass
    return len(fired) > n
for value, want in ((500, True), (50, False), ("500", True), ("50", True), ("399", False), ("1000", False), ("4000", True), ("abc", True)):
    see(f"code {value!r} >= 400", fires("status", {"code": value}), want)
see("up 1 == True", fires("flag", {"up": 1}), True)
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
