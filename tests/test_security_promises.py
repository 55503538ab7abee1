"""Each row of the threat model in docs/security.md names the test modules that hold it, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_each_row_of_the_threat_model_names_modules_that_exist() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    section = text.partition("## Threat model")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 7
    for row in rows:
        modules = re.findall(r"`(tests/[\w/]+\.py)`", row)
        assert modules, f"no test module in: {row}"
        assert [module for module in modules if not (ROOT / module).is_file()] == []
