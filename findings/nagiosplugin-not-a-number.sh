#!/usr/bin/env bash
# A measured value that is not a number (NaN) was expected to make the check UNKNOWN, or at least not OK.
# nagiosplugin 1.4.0 finds NaN inside each range 10:20, 10: or 10, and so ends with OK and exit code 0;
# the performance data holds the word nan. Only an inverse range, @10:20, gives a warning.
# Small and large values are written with an exponent (1e-07), which readers of performance data often refuse.
# A quotient of two empty counters is such a value: the check turns green at the moment its data is gone.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check nagiosplugin==1.4.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("nagiosplugin", version("nagiosplugin"))
import nagiosplugin
def check(value, warning):
    class Probe(nagiosplugin.Resource):
        def probe(self):
            return [nagiosplugin.Metric("ratio", value, context="ratio")]
    c = nagiosplugin.Check(Probe(), nagiosplugin.ScalarContext("ratio", warning, "90"))
    c()
    return c.exitcode, c.summary_str, c.perfdata
see("50, wanted 10:20", check(50, "10:20")[0], 1)
see("NaN, wanted 10:20", check(float("nan"), "10:20"), (0, "ratio is nan", ["ratio=nan;10:20;90"]))
see("NaN, wanted 10 or more", check(float("nan"), "10:")[0], 0)
see("NaN, wanted outside 10:20", check(float("nan"), "@10:20")[0], 1)
see("a tenth of a millionth", check(1e-7, "10")[2], ["ratio=1e-07;10;90"])
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
