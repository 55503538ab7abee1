#!/usr/bin/env bash
# Traceback.from_string was expected to give the frames of the exception that was raised last, or to refuse the text.
# tblib 3.2.2, given the printed traceback of an exception with a cause, gives the frames of the cause and stops there,
# without an error: Python prints the cause first.
# Nothing says that a second traceback was left unread.
# Grouping or linking by these frames files "order not saved" under the database driver,
# while tools that get the exception object put it under the order code.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check tblib==3.2.2 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("tblib", version("tblib"))
import traceback
from tblib import Traceback
def connect():
    raise ConnectionError("database refused")
def save_order():
    try:
        connect()
    except ConnectionError as e:
        raise ValueError("order not saved") from e
try:
    save_order()
except ValueError:
    text = traceback.format_exc()
print(text)
def frames(text):
    tb, names = Traceback.from_string(text), []
    while tb:
        names.append(tb.tb_frame.f_code.co_name)
        tb = tb.tb_next
    return names
see("frames read", frames(text), ["save_order", "connect"])
see("frames of the last part", frames(text.split("following exception:\n\n")[1]), ["<module>", "save_order"])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
