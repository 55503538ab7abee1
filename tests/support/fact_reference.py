"""The reference of facts in docs/rules.md. Run as a script, it writes the reference again from the code."""

from __future__ import annotations

from pathlib import Path

from firstcause.rulefiles.fact_schema import format_reference

DOCUMENT = Path(__file__).parents[2] / "docs" / "rules.md"
BEGIN, END = "<!-- facts: written by tests/support/fact_reference.py -->\n", "<!-- facts: end -->\n"


def with_reference(document: str) -> str:
    """Replace the reference in the text of docs/rules.md by that of the code."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{format_reference()}\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_reference(DOCUMENT.read_text()))
