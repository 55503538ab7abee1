#!/usr/bin/env bash
# An unquoted date in a YAML map that is declared as text was expected to be kept as the text that was written.
# msgspec 0.23.0 refuses it: PyYAML has already made a date or time of it, and msgspec turns none of them back to text,
# nor does strict=False help; in a field of type Any it arrives as a date object.
# Kubernetes and Backstage files carry such values in annotations (release: 2026-01-01), and their own readers, which
# go through JSON, see text.
# One unquoted date makes a whole manifest unreadable to a strict loader.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check msgspec==0.23.0 PyYAML==6.0.4 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
import datetime, msgspec
print("msgspec", version("msgspec"), "PyYAML", version("PyYAML"))
def read(text, kind, **k):
    try:
        return msgspec.yaml.decode(text, type=kind, **k)
    except msgspec.ValidationError as e:
        return str(e).split(" - ")[0]
text = dict[str, str]
see("date as text", read("release: 2026-01-01", text), "Expected `str`, got `date`")
see("date as text, not strict", read("release: 2026-01-01", text, strict=False), "Expected `str`, got `date`")
see("time as text", read("at: 2026-01-01T10:00:00Z", text), "Expected `str`, got `datetime`")
see("quoted", read("release: \"2026-01-01\"", text), {"release": "2026-01-01"})
see("untyped", read("release: 2026-01-01", dict), {"release": datetime.date(2026, 1, 1)})
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
