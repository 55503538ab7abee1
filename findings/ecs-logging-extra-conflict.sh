#!/usr/bin/env bash
# A log call with extra={"error": "E42"} was expected to be written: with that field, renamed, or without it.
# ecs-logging 2.3.0 raises inside the formatter when the record also has an exception, because error is a map then:
# Python logging prints the fault to standard error, and the record, with its exception, is written nowhere.
# extra={"log.level": "fatal"} loses the record always. Without an exception the same "error" text is written as a plain
# text, which an ECS index, where error is a map, refuses.
# "error" is a likely name for an error code, and the records lost are just those with an exception.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check ecs-logging==2.3.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
print("ecs-logging", version("ecs-logging"))
import contextlib, io, json, logging
import ecs_logging
def write(exception, **extra):
    out, told = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(ecs_logging.StdlibFormatter())
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    with contextlib.redirect_stderr(told):
        try:
            raise ValueError("refused") if exception else KeyError
        except ValueError:
            logger.exception("failed", extra=extra)
        except KeyError:
            logger.error("failed", extra=extra)
    return out.getvalue(), "TypeError" in told.getvalue()
see("exception and error code", write(True, error="E42"), ("", True))
see("exception and error.code", json.loads(write(True, **{"error.code": "E42"})[0])["error"]["code"], "E42")
see("error code alone", json.loads(write(False, error="E42")[0])["error"], "E42")
see("own log.level", write(False, **{"log.level": "fatal"}), ("", True))
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
