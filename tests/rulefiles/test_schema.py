"""The JSON Schema that editors use: it says of the shipped files, and of mistakes, what the loader says."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from firstcause.resources import shipped_path
from firstcause.rulefiles.yaml_reader import read_document
from support.firstcause_process import run_cli

FILES = sorted(shipped_path("rules").rglob("*.yaml"))


@pytest.fixture(scope="module")
def schema() -> Any:
    return json.loads((shipped_path("rules") / "schema.json").read_text())


def data(text: str) -> Any:
    document, mistakes = read_document(text.encode(), "x")
    assert (document is not None, mistakes) == (True, [])
    return document and document.data


def test_the_file_is_what_the_command_prints(tmp_path: Any) -> None:
    printed = run_cli("rules", "schema", folder=tmp_path).stdout
    assert (shipped_path("rules") / "schema.json").read_text() == printed, (
        "run `firstcause rules schema` again"
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_shipped_file_names_the_schema_and_fits_it(schema: Any, file: Any) -> None:
    text = file.read_text()
    up = "../" * (len(file.relative_to(shipped_path("rules")).parts) - 1)
    assert text.startswith(f"# yaml-language-server: $schema={up}schema.json\n")
    jsonschema.validate(data(text), schema)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("component: A", "component"),
        ("component: a\ncolour: red", None),
        ("component: a\ncatalog: [{code: A, title: t}]", "catalog"),
        ("component: a\ncatalog: [{extends: A, titel: t}]", "catalog"),
        ("component: a\nrules: [{id: a, about: x, when: {a: {kind: alert, n: {gt: x}}}, then: []}]", "rules"),
        ("component: a\ntests: [{name: x, given: [], expect: {}}]", "tests"),
    ],
)
def test_mistakes_are_seen_by_the_editor_too(schema: Any, text: str, where: str | None) -> None:
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(data(text)))
    assert [error.absolute_path[0] if error.absolute_path else None for error in errors][:1] == [where]


def test_thresholds_and_changed_entries_are_none(schema: Any) -> None:
    text = """\
component: a
thresholds: {many: 3}
catalog: [{extends: A, severity: INFO}]
rules:
  - id: a
    about: x
    when: {a: {kind: alert, count: {gt: $thresholds.many}}}
    then: [{root_cause: {of: $a, reason: r, confidence: $thresholds.many}}]
"""
    jsonschema.validate(data(text), schema)
