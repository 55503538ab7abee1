"""docs/probes.md, held to what it says: its tables are accepted, its errors known, its code a probe."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
import types

from firstcause import Status
from firstcause.resources import shipped_path
from firstcause.rulefiles.load import load

GUIDE = (shipped_path("rules").parent / "docs" / "probes.md").read_text()


def test_its_tables_are_those_of_the_plugins() -> None:
    seen = set()
    for text in re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL):
        for name, table in tomllib.loads(text)["plugins"].items():
            module = importlib.import_module(f"firstcause_{name}")
            probes = module.firstcause_probes(module.Config.model_validate(table))
            assert probes, name
            seen.add(name)
    assert seen >= {"redis", "sql", "mongodb", "twilio", "elevenlabs", "http", "host", "deployment", "data"}


def test_its_errors_are_in_the_catalog() -> None:
    known = load([shipped_path("rules")]).catalog.entries
    named = set(re.findall(r"`([A-Z][A-Z0-9]+_[A-Z0-9_]+[A-Z0-9])`", GUIDE))
    of_environment = {"TWILIO_PHONE_NUMBER", "ELEVENLABS_API_KEY"}
    assert len(named) > 30
    assert named - of_environment <= known.keys()


def test_its_code_is_a_probe() -> None:
    (text,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    module = types.ModuleType("of_the_guide")
    vars(module)["ask_the_queue"] = lambda: 1200
    sys.modules["of_the_guide"] = module
    exec(text, vars(module))
    (probe,) = module.firstcause_probes()
    reading = probe.check()
    assert (reading.status, reading.code, reading.data) == (
        Status.DEGRADED,
        "QUEUE_FULL",
        {"waiting_count": 1200},
    )
    del sys.modules["of_the_guide"]
