#!/usr/bin/env bash
# A value in structured data with an escaped quote, backslash or bracket was expected to be read without the escapes.
# syslog-rfc5424-parser 0.3.2 (Python) leaves the backslashes in; a Windows path keeps two for each one.
# When an escaped backslash ends a value and another value follows, it refuses the record.
# nsyslog-parser 0.10.1 (npm) leaves them in too; an escaped quote makes it find no structured data at all and put the
# whole element in front of the message. A record without a time gets the time of reading.
# A text that was quoted by the sender no longer equals the same text from another source, so rules on it miss.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check syslog-rfc5424-parser==0.3.2 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund nsyslog-parser@0.10.1 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("syslog-rfc5424-parser", version("syslog-rfc5424-parser"))
from syslog_rfc5424_parser import ParseError, SyslogMessage
def read(element):
    try:
        return SyslogMessage.parse(f"<11>1 2026-01-02T03:04:05Z web1 shop - - {element} m").as_dict()["sd"]
    except ParseError:
        return "ParseError"
see("quote", read(r'[x@1 said="a \"b\""]'), {"x@1": {"said": r'a \"b\"'}})
see("path", read(r'[x@1 path="C:\\temp"]'), {"x@1": {"path": r"C:\\temp"}})
see("backslash at the end, last value", read(r'[x@1 path="C:\\"]'), {"x@1": {"path": "C:\\\\"}})
see("backslash at the end, another value", read(r'[x@1 path="C:\\" n="2"]'), "ParseError")
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('nsyslog-parser');
const parser = require('nsyslog-parser'); const parse = parser.parse || parser;
const read = (sd, time = '2026-01-02T03:04:05Z') => { const r = parse(`<11>1 ${time} web1 shop - - ${sd} m`); return [r.structuredData, r.message]; };
see('plain', read('[x@1 a="b"]'), [[{ $id: 'x@1', a: 'b' }], 'm']);
see('bracket', read('[x@1 a="b\\]c"]'), [[{ $id: 'x@1', a: 'b\\]c' }], 'm']);
see('quote', read('[x@1 said="a \\"b\\""]'), [[], '[x@1 said="a \\"b\\""] m']);
see('no time, read as now', Math.abs(new Date(parse('<11>1 - web1 shop - - - m').ts) - Date.now()) < 60000, true);
process.exit(good ? 0 : 1);
JS
node probe.js
