"""Writes the results of rule tests in JUnit's XML format, which CI systems read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from firstcause.core.sanitize import single_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from firstcause.simulation.rule_tests import RuleTestResult


def write_junit(file: Path, results: Sequence[RuleTestResult]) -> None:
    """Write one test suite with a test case for each result."""
    failed = sum(not result.passed for result in results)
    counts = {"tests": str(len(results)), "failures": str(failed), "errors": "0", "skipped": "0"}
    suite = ET.Element("testsuite", {"name": "firstcause rules", **counts})
    for result in results:
        place = {"file": result.test.file, "line": str(result.test.line)}
        name = single_line(result.test.test.name)
        case = ET.SubElement(suite, "testcase", {"classname": result.test.file, "name": name, **place})
        if not result.passed:
            lines = [f"{it.field}: expected {it.expected}, got {it.got}" for it in result.differences]
            failure = ET.SubElement(case, "failure", {"message": single_line("; ".join(lines))})
            failure.text = "\n".join(map(single_line, (*lines, *result.explanation)))
    ET.ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)
