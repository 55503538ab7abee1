"""An application that reports errors loads the standard library only, and little of it."""

from __future__ import annotations

import json
import subprocess
import sys

import firstcause

_HEAVY = {
    "http.client",
    "ssl",
    "email",
    "asyncio",
    "inspect",
    "dataclasses",
    "json",
    "gzip",
    "socket",
    "pathlib",
}


def loaded(text: str) -> set[str]:
    """The modules that are loaded after running the text in a fresh interpreter."""
    program = f"import sys; before = set(sys.modules)\n{text}\nprint(sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout.replace("'", '"')))


def test_the_client_loads_nothing_of_the_rest_and_nothing_heavy() -> None:
    modules = loaded("import firstcause; firstcause.report, firstcause.Handler, firstcause.AsgiMiddleware")
    strangers = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"firstcause"}
    assert strangers == set()
    ours = {name for name in modules if name.startswith("firstcause.")}
    assert {name for name in ours if not name.startswith("firstcause.client")} == set()
    assert modules & _HEAVY == set()


def test_reporting_loads_the_standard_library_only() -> None:
    text = "import firstcause; firstcause.configure('http://127.0.0.1:9', spool=''); firstcause.report('A')\n"
    text += "import time; time.sleep(1)"
    modules = loaded(text)
    assert "firstcause.client.worker" in modules
    assert {name.partition(".")[0] for name in modules} - sys.stdlib_module_names == {"firstcause"}


def test_the_package_itself_loads_no_part_before_it_is_asked_for() -> None:
    assert {name for name in loaded("import firstcause") if name.startswith("firstcause.")} == set()


def test_all_that_is_named_is_there() -> None:
    for name in firstcause.__all__:
        assert getattr(firstcause, name) is not None
    exported = set(firstcause.client.__all__) - {"client"}
    assert exported <= set(firstcause.__all__)
